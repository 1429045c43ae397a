-- How many products and channels each customer has tried.
SELECT
    customer_id,
    count(DISTINCT product_id) AS products,
    count(DISTINCT channel) AS channels
FROM core.order_lines
GROUP BY customer_id
