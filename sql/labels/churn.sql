-- Churn label: whether a customer bought nothing in the horizon. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- churned: true without any purchase of some value in the horizon; NULL where the horizon is incomplete.
WITH
buyers AS (
    SELECT DISTINCT customer_id, as_of
    FROM labels.horizon_orders
    WHERE is_purchase
)

SELECT
    h.customer_id,
    h.as_of,
    CASE WHEN h.is_complete THEN b.customer_id IS NULL END AS churned
FROM labels.horizon AS h
LEFT JOIN buyers AS b ON b.customer_id = h.customer_id AND b.as_of = h.as_of
