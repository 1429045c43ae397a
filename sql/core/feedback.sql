-- What customers said: one row per version of a review, survey answer or complaint; the newest known version counts.
-- owner: perennial
-- grain: feedback_id, known_time
-- key: feedback_id
-- pii: text
-- feedback_id: id of the answer.
-- customer_id: who said it.
-- event_time: when it was said.
-- known_time: when the company could have known it.
-- kind: review, nps, complaint or a kind of the source's own.
-- score: grade given, on the scale of its kind.
-- text: free text; may name people.
CREATE TABLE core.feedback (
    feedback_id VARCHAR,
    customer_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP,
    kind VARCHAR,
    score DOUBLE,
    text VARCHAR
)
