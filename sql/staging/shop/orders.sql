-- Orders of the simulated shop, each copy once, with the value of their lines; returns and cancellations are orders of their own.
-- owner: perennial
-- driver: raw.shop_orders
-- grain: order_id
-- order_id: order_id.
-- customer_id: customer_id; NULL for guests.
-- event_time: ordered_at.
-- known_time: recorded_at.
-- channel: channel in lower case.
-- store_id: store_id; NULL outside shops.
-- status: status in lower case.
-- currency: currency.
-- amount: sum of quantity times price less discount over the order's lines, in whole cents; 0 without lines.
-- discount: discount, which repeats the sum of the lines' discounts.
-- campaign_id: campaign_id; NULL for none.
WITH
-- Lines are read whole, so an order that comes late finds lines that came early. Rounding to cents takes out what the
-- order of addition leaves in the last digits, so that every build gives the same amounts.
order_amounts AS (
    SELECT order_id, round(sum(quantity * unit_price - discount), 2) AS amount
    FROM raw.shop_order_lines
    GROUP BY order_id
),

orders AS (
    SELECT DISTINCT
        order_id,
        nullif(trim(customer_id), '') AS customer_id,
        cast(ordered_at AS TIMESTAMP) AS event_time,
        coalesce(cast(recorded_at AS TIMESTAMP), _loaded_at, cast(ordered_at AS TIMESTAMP)) AS known_time,
        lower(trim(channel)) AS channel,
        nullif(trim(store_id), '') AS store_id,
        lower(trim(status)) AS status,
        currency,
        cast(discount AS DOUBLE) AS discount,
        nullif(trim(campaign_id), '') AS campaign_id
    FROM raw.shop_orders
)

SELECT
    o.order_id,
    o.customer_id,
    o.event_time,
    o.known_time,
    o.channel,
    o.store_id,
    o.status,
    o.currency,
    coalesce(a.amount, 0.0) AS amount,
    o.discount,
    o.campaign_id
FROM orders AS o
LEFT JOIN order_amounts AS a ON a.order_id = o.order_id
