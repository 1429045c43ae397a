-- Products to recommend: one row per customer, scoring and rank; history is kept.
-- owner: perennial
-- grain: customer_id, task, as_of, scored_at, rank
-- check: range(rank, 1, 10)
-- check: not_null(product_id, score, source, reason)
-- customer_id: who gets the list.
-- task: task whose view gave the list.
-- run_id: NULL; no model was trained for the list as a whole.
-- snapshot: warehouse snapshot that the view read.
-- as_of: cut-off; only what was known before it was used.
-- scored_at: when the list was computed.
-- rank: place on the list, 1 for the best.
-- product_id: the product.
-- score: sum over the recommenders' lists of weight / (smoothing + rank).
-- source: the lists that the product is on, as in insights.recommendations.
-- reason: what to tell the customer.
CREATE TABLE scores.recommendations (
    customer_id VARCHAR,
    task VARCHAR,
    run_id VARCHAR,
    snapshot BIGINT,
    as_of TIMESTAMP,
    scored_at TIMESTAMP,
    rank BIGINT,
    product_id VARCHAR,
    score DOUBLE,
    source VARCHAR,
    reason VARCHAR
)
