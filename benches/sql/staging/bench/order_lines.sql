-- The one line of each of the bench's orders.
-- owner: perennial
-- driver: raw.bench_orders
-- grain: order_id, line_id
-- order_id: number of the order.
-- line_id: 1.
-- customer_id: who ordered.
-- event_time: when.
-- known_time: the same.
-- product_id: one of many.
-- channel: channel of the order.
-- quantity: 1.
-- unit_price: value of the order.
-- amount: value of the order.
-- discount: none.
-- is_return: false.
SELECT
    order_id,
    '1' AS line_id,
    customer_id,
    event_time,
    event_time AS known_time,
    product_id,
    channel,
    cast(1 AS DOUBLE) AS quantity,
    amount AS unit_price,
    amount,
    cast(0 AS DOUBLE) AS discount,
    FALSE AS is_return
FROM raw.bench_orders
