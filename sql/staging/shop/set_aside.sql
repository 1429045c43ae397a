-- Rows of the simulated shop's orders and order lines that are no facts, by reason.
-- owner: perennial
-- driver: raw.shop_orders
-- grain: source, core_table, reason
-- source: always shop.
-- core_table: table whose rows they would have been.
-- reason: why the rows were left out.
-- row_count: rows left out.
WITH
orders AS (
    SELECT count(*) AS count_copies
    FROM raw.shop_orders
    GROUP BY
        order_id, customer_id, ordered_at, recorded_at, channel, store_id, status, currency, discount, campaign_id, _loaded_at
),

-- Only lines of the new orders, because the lines are read whole each time.
empty_lines AS (
    SELECT l.order_id
    FROM raw.shop_order_lines AS l
    LEFT SEMI JOIN raw.shop_orders AS o ON o.order_id = l.order_id
    WHERE l.quantity = 0
),

reasons AS (
    SELECT 'orders' AS core_table, 'exact copy of another row' AS reason, count_copies - 1 AS row_count
    FROM orders
    UNION ALL
    SELECT 'order_lines' AS core_table, 'line of no pieces' AS reason, 1 AS row_count
    FROM empty_lines
)

SELECT
    'shop' AS source,
    core_table,
    reason,
    sum(row_count) AS row_count
FROM reasons
GROUP BY core_table, reason
HAVING sum(row_count) > 0
