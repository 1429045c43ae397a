-- The bench's customers for BI: smaller than the shipped view, whose features have a bench of their own.
-- owner: perennial
-- grain: customer_id
-- customer_id: the customer.
-- count_orders: orders.
-- total_amount: value of them.
-- last_order_at: when the newest was made.
SELECT
    customer_id,
    count(*) AS count_orders,
    sum(amount) AS total_amount,
    max(event_time) AS last_order_at
FROM core.orders
GROUP BY customer_id
