-- Probability that a customer leaves: one row per customer and scoring; history is kept.
-- owner: perennial
-- grain: customer_id, run_id, as_of, scored_at
-- check: p_churn between 0 and 1
-- customer_id: who was scored.
-- task: task that the model was trained for.
-- run_id: run whose model gave the score.
-- snapshot: warehouse snapshot that the model read.
-- as_of: cut-off; only rows before it by both clocks were used.
-- scored_at: when the score was computed.
-- horizon_days: days after the cut-off that the probability covers.
-- p_churn: probability of no purchase in the horizon.
CREATE TABLE scores.churn (
    customer_id VARCHAR,
    task VARCHAR,
    run_id VARCHAR,
    snapshot BIGINT,
    as_of TIMESTAMP,
    scored_at TIMESTAMP,
    horizon_days BIGINT,
    p_churn DOUBLE
)
