-- Each customer's orders and spend of the last one and three months, and how much an order is worth.
SELECT
    customer_id,
    count(*) FILTER (WHERE event_time >= TIMESTAMP '2024-12-01 00:00:00') AS orders_month,
    sum(amount) FILTER (WHERE event_time >= TIMESTAMP '2024-10-01 00:00:00') AS spend_quarter,
    avg(amount) AS mean_amount,
    stddev(amount) AS deviation_amount,
    min(event_time) AS first_at
FROM core.orders
GROUP BY customer_id
