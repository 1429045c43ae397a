-- Discounts: how much a customer buys at a reduced price. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: discounted_order_share >= 0 and discounted_order_share <= 1
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- discount_amount: discount taken off all purchases before the cut-off.
-- discount_rate: that discount over the value before discounts; NULL without purchases of any value.
-- discounted_order_share: share of the purchases that had a discount; NULL without purchases.
WITH
discounted AS (
    SELECT
        customer_id,
        as_of,
        sum(discount) AS discount_amount,
        sum(discount) / nullif(sum(amount + discount), 0.0) AS discount_rate,
        count(*) FILTER (WHERE discount > 0) / cast(count(*) AS DOUBLE) AS discounted_order_share
    FROM features.known_orders
    WHERE is_purchase
    GROUP BY customer_id, as_of
)

SELECT
    s.customer_id,
    s.as_of,
    coalesce(d.discount_amount, 0.0) AS discount_amount,
    d.discount_rate,
    d.discounted_order_share
FROM spine AS s
LEFT JOIN discounted AS d ON d.customer_id = s.customer_id AND d.as_of = s.as_of
