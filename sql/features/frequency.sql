-- Frequency: how often a customer has bought. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: count_order_days <= count_orders
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- count_orders: purchases before the cut-off.
-- count_order_days: different days (UTC) with a purchase; orders of one day are one visit.
-- is_repeat_buyer: whether the customer bought on more than one day.
WITH
counted AS (
    SELECT
        customer_id,
        as_of,
        sum(count_orders) AS count_orders,
        count(*) AS count_order_days
    FROM features.purchase_days
    GROUP BY customer_id, as_of
)

SELECT
    s.customer_id,
    s.as_of,
    coalesce(f.count_orders, 0) AS count_orders,
    coalesce(f.count_order_days, 0) AS count_order_days,
    coalesce(f.count_order_days, 0) > 1 AS is_repeat_buyer
FROM spine AS s
LEFT JOIN counted AS f ON f.customer_id = s.customer_id AND f.as_of = s.as_of
