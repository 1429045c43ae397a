-- Orders with the time at which each version stopped counting.
-- owner: perennial
-- grain: order_id, known_time
-- order_id: id of the order, or of the document that returns goods.
-- customer_id: who ordered; NULL for a guest or an unknown customer.
-- event_time: when the order was placed or the goods came back.
-- known_time: when the company could have known this version.
-- channel: channel of the order, such as web, app, store or phone.
-- store_id: shop in which it happened; NULL outside shops.
-- status: completed (a purchase), returned (a return document) or cancelled (an order that fell through, or the document that takes it back).
-- currency: ISO 4217 code of the amounts.
-- amount: net value of the order after discounts; negative for a document that takes goods back.
-- discount: discount already taken off the amount; negative where a return gives it back.
-- campaign_id: campaign that the source credits with the order.
-- superseded_at: when the next version of the same key became known; NULL for the version in force.
-- is_void: whether the version counts nowhere: cancelled, and no document that takes goods back.
WITH
corrected AS (
    SELECT order_id
    FROM core.orders
    GROUP BY order_id
    HAVING count(*) > 1
),

-- Most keys have one version, so only the others are sorted; DISTINCT drops what was sent twice unchanged.
several AS (
    SELECT DISTINCT o.*
    FROM core.orders AS o
    LEFT SEMI JOIN corrected AS c ON c.order_id = o.order_id
),

single AS (
    SELECT o.*
    FROM core.orders AS o
    LEFT ANTI JOIN corrected AS c ON c.order_id = o.order_id
),

versions AS (
    SELECT *, cast(NULL AS TIMESTAMP) AS superseded_at
    FROM single
    UNION ALL
    SELECT *, lead(known_time) OVER (PARTITION BY order_id ORDER BY known_time, event_time, status, amount) AS superseded_at
    FROM several
)

SELECT
    *,
    status = 'cancelled' AND coalesce(amount, 0.0) >= 0.0 AS is_void
FROM versions
