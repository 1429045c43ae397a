-- Value label: what a customer was worth in the horizon. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: order_count >= 0
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- value: net value of all orders and returns in the horizon, below zero where more came back than went out; NULL where the horizon is incomplete.
-- order_count: purchases of some value in the horizon; NULL where the horizon is incomplete.
WITH
spent AS (
    SELECT
        customer_id,
        as_of,
        sum(amount) AS value,
        count(*) FILTER (WHERE is_purchase) AS order_count
    FROM labels.horizon_orders
    GROUP BY customer_id, as_of
)

SELECT
    h.customer_id,
    h.as_of,
    CASE WHEN h.is_complete THEN coalesce(v.value, 0.0) END AS value,
    CASE WHEN h.is_complete THEN coalesce(v.order_count, 0) END AS order_count
FROM labels.horizon AS h
LEFT JOIN spent AS v ON v.customer_id = h.customer_id AND v.as_of = h.as_of
