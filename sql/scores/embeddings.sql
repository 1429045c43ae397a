-- What a model has made of a customer, the numbers that its answers are read off: one row per customer, scoring and component;
-- history is kept. Written by `score --embeddings`. A row per component, because tables hold no lists: every tool reads them, a
-- dot product is a join and a sum, and array_agg(value ORDER BY component) is the list. Customers compare within one run only.
-- owner: perennial
-- grain: customer_id, run_id, as_of, scored_at, component
-- check: component >= 1
-- customer_id: whose embedding it is.
-- task: task that the model was trained for.
-- run_id: run whose model gave it.
-- snapshot: warehouse snapshot that the model read.
-- as_of: cut-off; only rows before it by both clocks were used.
-- scored_at: when it was computed.
-- component: place of the number in the embedding, from 1 to the model's width.
-- value: the number.
CREATE TABLE scores.embeddings (
    customer_id VARCHAR,
    task VARCHAR,
    run_id VARCHAR,
    snapshot BIGINT,
    as_of TIMESTAMP,
    scored_at TIMESTAMP,
    component BIGINT,
    value DOUBLE
)
