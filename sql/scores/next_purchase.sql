-- Products that a customer is likely to buy next: one row per customer, scoring and rank; history is kept.
-- owner: perennial
-- grain: customer_id, run_id, as_of, scored_at, rank
-- check: rank >= 1
-- check: probability between 0 and 1
-- customer_id: who was scored.
-- task: task that the model was trained for.
-- run_id: run whose model gave the score.
-- snapshot: warehouse snapshot that the model read.
-- as_of: cut-off; only rows before it by both clocks were used.
-- scored_at: when the score was computed.
-- rank: place among the customer's likely products, 1 for the likeliest.
-- product_id: the product.
-- probability: probability that the next purchase is this product, over the whole catalogue.
CREATE TABLE scores.next_purchase (
    customer_id VARCHAR,
    task VARCHAR,
    run_id VARCHAR,
    snapshot BIGINT,
    as_of TIMESTAMP,
    scored_at TIMESTAMP,
    rank BIGINT,
    product_id VARCHAR,
    probability DOUBLE
)
