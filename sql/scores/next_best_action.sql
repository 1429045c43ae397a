-- What was decided to do for whom: one row per customer, scoring and channel; history is kept.
-- owner: perennial
-- grain: customer_id, task, as_of, scored_at, channel
-- check: probability between 0 and 1
-- check: not_null(channel, action, rule, gain, is_held_out)
-- customer_id: for whom.
-- task: task whose view decided.
-- run_id: NULL; rules decided, no model was trained for the whole.
-- snapshot: warehouse snapshot that the view read.
-- as_of: cut-off; only what was known before it was used.
-- scored_at: when it was decided.
-- channel: channel of the action.
-- action: what to do.
-- rule: rule that led to it.
-- trigger: trigger that made the rule hold; NULL for none.
-- probability: that the action works.
-- value: what it is worth then.
-- cost: what it costs.
-- gain: expected gain, probability * value - cost.
-- gain_rank: place among all actions of the cut-off, 1 for the highest gain.
-- is_held_out: whether it is decided but must not be done.
-- evidence: every number that the rule read.
CREATE TABLE scores.next_best_action (
    customer_id VARCHAR,
    task VARCHAR,
    run_id VARCHAR,
    snapshot BIGINT,
    as_of TIMESTAMP,
    scored_at TIMESTAMP,
    channel VARCHAR,
    action VARCHAR,
    rule VARCHAR,
    trigger VARCHAR,
    probability DOUBLE,
    value DOUBLE,
    cost DOUBLE,
    gain DOUBLE,
    gain_rank BIGINT,
    is_held_out BOOLEAN,
    evidence VARCHAR
)
