-- Value: what a customer has spent. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: net_amount <= total_amount + 0.005
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- total_amount: value of all purchases before the cut-off.
-- net_amount: the same less what came back.
-- mean_order_amount: mean value of a purchase; NULL for none.
-- sd_order_amount: standard deviation of the purchases' values; NULL for fewer than two.
-- max_order_amount: value of the largest purchase; NULL for none.
-- last_order_amount: value of the newest purchase, the larger one on a tie; NULL for none.
WITH
spent AS (
    SELECT
        customer_id,
        as_of,
        sum(amount) AS net_amount,
        sum(amount) FILTER (WHERE is_purchase) AS total_amount,
        avg(amount) FILTER (WHERE is_purchase) AS mean_order_amount,
        stddev(amount) FILTER (WHERE is_purchase) AS sd_order_amount,
        max(amount) FILTER (WHERE is_purchase) AS max_order_amount,
        first_value(amount ORDER BY event_time DESC, amount DESC) FILTER (WHERE is_purchase) AS last_order_amount
    FROM features.known_orders
    GROUP BY customer_id, as_of
)

SELECT
    s.customer_id,
    s.as_of,
    coalesce(v.total_amount, 0.0) AS total_amount,
    coalesce(v.net_amount, 0.0) AS net_amount,
    v.mean_order_amount,
    v.sd_order_amount,
    v.max_order_amount,
    v.last_order_amount
FROM spine AS s
LEFT JOIN spent AS v ON v.customer_id = s.customer_id AND v.as_of = s.as_of
