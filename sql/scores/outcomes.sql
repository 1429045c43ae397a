-- What the models of tasks of one's own say of a customer: one row per customer, task and scoring; history is kept.
-- owner: perennial
-- grain: customer_id, run_id, as_of, scored_at
-- check: p between 0 and 1
-- customer_id: who was scored.
-- task: task that the model was trained for; its label says what the numbers mean.
-- run_id: run whose model gave the score.
-- snapshot: warehouse snapshot that the model read.
-- as_of: cut-off; only rows before it by both clocks were used.
-- scored_at: when the score was computed.
-- horizon_days: days after the cut-off that the numbers cover.
-- p: probability that a binary label is true, or that a count or an amount is above 0.
-- expected: expected count or amount; NULL for a binary label.
CREATE TABLE scores.outcomes (
    customer_id VARCHAR,
    task VARCHAR,
    run_id VARCHAR,
    snapshot BIGINT,
    as_of TIMESTAMP,
    scored_at TIMESTAMP,
    horizon_days BIGINT,
    p DOUBLE,
    expected DOUBLE
)
