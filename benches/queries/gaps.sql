-- How regularly each customer orders: seconds between one order and the next.
WITH
gaps AS (
    SELECT
        customer_id,
        extract(EPOCH FROM event_time) - extract(
            EPOCH FROM lag(event_time) OVER (PARTITION BY customer_id ORDER BY event_time)
        ) AS gap
    FROM core.orders
)

SELECT
    customer_id,
    avg(gap) AS mean_gap,
    stddev(gap) AS deviation_gap,
    max(gap) AS longest_gap
FROM gaps
GROUP BY customer_id
