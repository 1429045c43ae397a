-- The bench's orders.
-- owner: perennial
-- driver: raw.bench_orders
-- grain: order_id
-- order_id: number of the order.
-- customer_id: who ordered.
-- event_time: when.
-- known_time: the same.
-- channel: one of four.
-- store_id: none.
-- status: completed.
-- currency: EUR.
-- amount: value.
-- discount: none.
-- campaign_id: none.
SELECT
    order_id,
    customer_id,
    event_time,
    event_time AS known_time,
    channel,
    cast(NULL AS VARCHAR) AS store_id,
    'completed' AS status,
    'EUR' AS currency,
    amount,
    cast(0 AS DOUBLE) AS discount,
    cast(NULL AS VARCHAR) AS campaign_id
FROM raw.bench_orders
