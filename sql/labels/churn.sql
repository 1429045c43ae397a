-- Churn label: whether a customer bought nothing in the horizon. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: days_to_next >= 0
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- churned: true without any purchase of some value in the horizon; NULL where the horizon is incomplete.
-- days_to_next: days from the cut-off to the first purchase in the horizon, with fractions; NULL for none or an incomplete horizon.
WITH
buyers AS (
    SELECT customer_id, as_of, min(event_time) AS next_at
    FROM labels.horizon_orders
    WHERE is_purchase
    GROUP BY customer_id, as_of
)

SELECT
    h.customer_id,
    h.as_of,
    CASE WHEN h.is_complete THEN b.customer_id IS NULL END AS churned,
    date_part('epoch', b.next_at - h.as_of) / 86400.0 AS days_to_next
FROM labels.horizon AS h
LEFT JOIN buyers AS b ON b.customer_id = h.customer_id AND b.as_of = h.as_of
