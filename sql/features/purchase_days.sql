-- Days (UTC) with a purchase, as known at each cut-off: orders of one day are one visit, since split deliveries would make gaps of zero.
-- owner: perennial
-- grain: customer_id, as_of, ordered_on
-- check: count_orders > 0
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- ordered_on: day of the purchase.
-- count_orders: purchases of that day.
-- amount: their value together.
-- last_order_at: when the newest of them was made.
SELECT
    customer_id,
    as_of,
    cast(event_time AS DATE) AS ordered_on,
    count(*) AS count_orders,
    sum(amount) AS amount,
    max(event_time) AS last_order_at
FROM features.known_orders
WHERE is_purchase
GROUP BY customer_id, as_of, cast(event_time AS DATE)
