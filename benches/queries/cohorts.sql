-- How many of the customers who first ordered in a month ordered in each month after.
WITH
firsts AS (
    SELECT customer_id, min(date_trunc('month', event_time)) AS cohort
    FROM core.orders
    GROUP BY customer_id
)

SELECT
    f.cohort,
    date_trunc('month', o.event_time) AS active_in,
    count(DISTINCT o.customer_id) AS customers
FROM core.orders AS o
INNER JOIN firsts AS f ON f.customer_id = o.customer_id
GROUP BY f.cohort, date_trunc('month', o.event_time)
