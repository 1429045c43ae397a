-- Recency: how long ago a customer last bought. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: days_since_order > 0
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- last_order_at: when the newest purchase before the cut-off was made; NULL for none.
-- days_since_order: days from that purchase to the cut-off, with fractions; NULL for none.
WITH
latest AS (
    SELECT customer_id, as_of, max(event_time) AS last_order_at
    FROM features.known_orders
    WHERE is_purchase
    GROUP BY customer_id, as_of
)

SELECT
    s.customer_id,
    s.as_of,
    r.last_order_at,
    date_part('epoch', s.as_of - r.last_order_at) / 86400.0 AS days_since_order
FROM spine AS s
LEFT JOIN latest AS r ON r.customer_id = s.customer_id AND r.as_of = s.as_of
