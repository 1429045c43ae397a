-- Order lines of the simulated shop, with customer, times and channel of their order; lines of no pieces are set aside.
-- owner: perennial
-- driver: raw.shop_orders
-- grain: order_id, line_id
-- order_id: order_id.
-- line_id: line_id.
-- customer_id: customer of the order; NULL for guests.
-- event_time: ordered_at of the order.
-- known_time: recorded_at of the order.
-- product_id: product_id.
-- channel: channel of the order in lower case.
-- quantity: quantity, negative for goods that came back.
-- unit_price: unit_price.
-- amount: quantity times price less discount, in whole cents.
-- discount: discount, negative for goods that came back.
-- is_return: whether the quantity is negative.
WITH
-- Lines come with their order, or wait for it.
orders AS (
    SELECT DISTINCT
        order_id,
        nullif(trim(customer_id), '') AS customer_id,
        cast(ordered_at AS TIMESTAMP) AS event_time,
        coalesce(cast(recorded_at AS TIMESTAMP), _loaded_at, cast(ordered_at AS TIMESTAMP)) AS known_time,
        lower(trim(channel)) AS channel
    FROM raw.shop_orders
)

SELECT
    l.order_id,
    cast(l.line_id AS VARCHAR) AS line_id,
    o.customer_id,
    o.event_time,
    o.known_time,
    l.product_id,
    o.channel,
    cast(l.quantity AS DOUBLE) AS quantity,
    l.unit_price,
    round(l.quantity * l.unit_price - l.discount, 2) AS amount,
    l.discount,
    l.quantity < 0 AS is_return
FROM raw.shop_order_lines AS l
INNER JOIN orders AS o ON o.order_id = l.order_id
WHERE l.quantity <> 0
