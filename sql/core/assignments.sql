-- Arms of experiments that customers were put in: one row per version of an assignment; the newest known version counts.
-- owner: perennial
-- grain: assignment_id, known_time
-- key: assignment_id
-- assignment_id: id of the assignment.
-- customer_id: who was assigned.
-- event_time: when the customer was assigned.
-- known_time: when the company could have known it.
-- experiment: name of the experiment.
-- arm: arm of the experiment, such as control.
CREATE TABLE core.assignments (
    assignment_id VARCHAR,
    customer_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP,
    experiment VARCHAR,
    arm VARCHAR
)
