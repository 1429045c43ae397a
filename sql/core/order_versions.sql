-- Orders with the time at which each version stopped counting.
-- owner: perennial
-- grain: order_id, known_time
-- order_id: id of the order, or of the document that returns goods.
-- customer_id: who ordered; NULL for a guest or an unknown customer.
-- event_time: when the order was placed or the goods came back.
-- known_time: when the company could have known this version.
-- channel: channel of the order, such as web, app, store or phone.
-- store_id: shop in which it happened; NULL outside shops.
-- status: completed (a purchase), returned (a return document), cancelled (an order that fell through, or the document that takes it back) or moved (from then on another customer's).
-- currency: ISO 4217 code of the amounts.
-- amount: net value of the order after discounts; negative for a document that takes goods back.
-- discount: discount already taken off the amount; negative where a return gives it back.
-- campaign_id: campaign that the source credits with the order.
-- superseded_at: when the next version of the same key became known; NULL for the version in force.
-- is_void: whether the version counts nowhere: moved, or cancelled and no document that takes goods back.
WITH
-- What passed to another customer ends for the one who had it.
held AS (
    SELECT *, false AS is_moved
    FROM core.orders
    UNION ALL BY NAME
    SELECT id AS order_id, customer_id, event_time, known_time, 'moved' AS status, true AS is_moved
    FROM core.moves
    WHERE of_table = 'orders'
),

versions AS (
    SELECT *, lead(known_time) OVER (PARTITION BY customer_id, order_id ORDER BY known_time, is_moved, event_time, status, amount) AS superseded_at
    FROM held
)

-- A version that was superseded as it became known was never in force.
SELECT
    * EXCLUDE (is_moved),
    is_moved OR (status = 'cancelled' AND coalesce(amount, 0.0) >= 0.0) AS is_void
FROM versions
WHERE superseded_at IS NULL OR superseded_at > known_time
