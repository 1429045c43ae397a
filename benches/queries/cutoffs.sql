-- Each customer's orders and spend before twelve cut-offs.
WITH
cut_offs (as_of) AS (
    VALUES
    (TIMESTAMP '2024-01-01 00:00:00'),
    (TIMESTAMP '2024-02-01 00:00:00'),
    (TIMESTAMP '2024-03-01 00:00:00'),
    (TIMESTAMP '2024-04-01 00:00:00'),
    (TIMESTAMP '2024-05-01 00:00:00'),
    (TIMESTAMP '2024-06-01 00:00:00'),
    (TIMESTAMP '2024-07-01 00:00:00'),
    (TIMESTAMP '2024-08-01 00:00:00'),
    (TIMESTAMP '2024-09-01 00:00:00'),
    (TIMESTAMP '2024-10-01 00:00:00'),
    (TIMESTAMP '2024-11-01 00:00:00'),
    (TIMESTAMP '2024-12-01 00:00:00')
),

asked AS (
    SELECT c.customer_id, d.as_of
    FROM (SELECT DISTINCT customer_id FROM core.orders WHERE customer_id IS NOT NULL) AS c
    CROSS JOIN cut_offs AS d
)

SELECT
    a.customer_id,
    a.as_of,
    count(o.order_id) AS orders,
    sum(o.amount) AS spend
FROM asked AS a
LEFT JOIN core.orders AS o ON o.customer_id = a.customer_id AND o.event_time < a.as_of
GROUP BY a.customer_id, a.as_of
