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
        max(days_ago) AS days_since_first_order,
        max(days_ago) - min(days_ago) AS active_days
    FROM features.known_orders
    WHERE is_purchase
    GROUP BY customer_id, as_of
)

SELECT
    s.customer_id,
    s.as_of,
    greatest(
        date_part('epoch', s.as_of - c.signed_up_at) / 86400.0,
        b.days_since_first_order
    ) AS days_since_signup,
    b.days_since_first_order,
    b.active_days
FROM spine AS s
LEFT JOIN features.known_customers AS c ON c.customer_id = s.customer_id AND c.as_of = s.as_of
LEFT JOIN bought AS b ON b.customer_id = s.customer_id AND b.as_of = s.as_of
