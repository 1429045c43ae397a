-- What a customer is worth in the horizon: one row per customer and scoring; history is kept.
-- owner: perennial
-- grain: customer_id, run_id, as_of, scored_at
-- check: p_zero between 0 and 1
-- customer_id: who was scored.
-- task: task that the model was trained for.
-- run_id: run whose model gave the score.
-- snapshot: warehouse snapshot that the model read.
-- as_of: cut-off; only rows before it by both clocks were used.
-- scored_at: when the score was computed.
-- horizon_days: days after the cut-off that the value covers.
-- expected_value: expected net order value in the horizon, in the currency of the orders.
-- p_zero: probability of no value at all in the horizon.
CREATE TABLE scores.clv (
    customer_id VARCHAR,
    task VARCHAR,
    run_id VARCHAR,
    snapshot BIGINT,
    as_of TIMESTAMP,
    scored_at TIMESTAMP,
    horizon_days BIGINT,
    expected_value DOUBLE,
    p_zero DOUBLE
)
