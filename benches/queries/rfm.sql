-- Each customer's quintiles of recency, frequency and value among all customers.
WITH
totals AS (
    SELECT
        customer_id,
        max(event_time) AS last_at,
        count(*) AS orders,
        sum(amount) AS spend
    FROM core.orders
    WHERE event_time < TIMESTAMP '2024-12-01 00:00:00'
    GROUP BY customer_id
)

SELECT
    customer_id,
    ntile(5) OVER (ORDER BY last_at) AS recency,
    ntile(5) OVER (ORDER BY orders) AS frequency,
    ntile(5) OVER (ORDER BY spend) AS value
FROM totals
