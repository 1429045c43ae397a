-- When a customer is likely to buy next: one row per customer and scoring; history is kept.
-- owner: perennial
-- grain: customer_id, run_id, as_of, scored_at
-- check: p10_days <= median_days and median_days <= p90_days
-- check: p_within_horizon between 0 and 1
-- customer_id: who was scored.
-- task: task that the model was trained for.
-- run_id: run whose model gave the score.
-- snapshot: warehouse snapshot that the model read.
-- as_of: cut-off; only rows before it by both clocks were used.
-- scored_at: when the score was computed.
-- median_days: days after the cut-off by which the next purchase comes with probability one half.
-- p10_days: days after the cut-off by which it comes with probability .1.
-- p90_days: days after the cut-off by which it comes with probability .9.
-- p_within_horizon: probability that the next purchase falls in the horizon.
-- horizon_days: days after the cut-off that the probability covers.
CREATE TABLE scores.next_purchase_time (
    customer_id VARCHAR,
    task VARCHAR,
    run_id VARCHAR,
    snapshot BIGINT,
    as_of TIMESTAMP,
    scored_at TIMESTAMP,
    median_days DOUBLE,
    p10_days DOUBLE,
    p90_days DOUBLE,
    p_within_horizon DOUBLE,
    horizon_days BIGINT
)
