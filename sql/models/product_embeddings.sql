-- Embeddings of the products that a model ranks: one row per run, product and component. Written by `score --embeddings`. The
-- sum over components of a customer's value in scores.embeddings times a product's is that product's score for the customer
-- by the network of the same run; with the softmax over all of its products what histories say is mixed, for a probability.
-- owner: perennial
-- grain: run_id, product_id, component
-- check: component >= 1
-- task: task that the model was trained for.
-- run_id: run whose model it is.
-- product_id: the product.
-- component: place of the number in the embedding, from 1 to the model's width.
-- value: the number.
CREATE TABLE models.product_embeddings (
    task VARCHAR,
    run_id VARCHAR,
    product_id VARCHAR,
    component BIGINT,
    value DOUBLE
)
