-- Tenure: how long a customer has been one. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: active_days >= 0
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- days_since_signup: days from the sign-up, or from the first purchase where that was earlier; NULL for neither.
-- days_since_first_order: days from the first purchase to the cut-off; NULL for none.
-- active_days: days from the first to the newest purchase; NULL for none.
WITH
bought AS (
    SELECT
        customer_id,
        as_of,
        min(event_time) AS first_order_at,
        max(event_time) AS last_order_at
    FROM features.known_orders
    WHERE is_purchase
    GROUP BY customer_id, as_of
)

SELECT
    s.customer_id,
    s.as_of,
    date_part('epoch', s.as_of - least(c.signed_up_at, b.first_order_at)) / 86400.0 AS days_since_signup,
    date_part('epoch', s.as_of - b.first_order_at) / 86400.0 AS days_since_first_order,
    date_part('epoch', b.last_order_at - b.first_order_at) / 86400.0 AS active_days
FROM spine AS s
LEFT JOIN features.known_customers AS c ON c.customer_id = s.customer_id AND c.as_of = s.as_of
LEFT JOIN bought AS b ON b.customer_id = s.customer_id AND b.as_of = s.as_of
