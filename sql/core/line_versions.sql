-- Order lines with the time at which each version stopped counting.
-- owner: perennial
-- grain: order_id, line_id, known_time
-- order_id: order or return document that the line belongs to.
-- line_id: id of the line within its order.
-- customer_id: who ordered; NULL for a guest or an unknown customer.
-- event_time: when the order was placed or the goods came back.
-- known_time: when the company could have known this version.
-- product_id: what was bought or returned.
-- channel: channel of the order.
-- quantity: pieces, negative where goods came back.
-- unit_price: price of one piece before discounts.
-- amount: net value of the line after its discount; negative for a return.
-- discount: discount already taken off the amount; negative where a return gives it back.
-- is_return: whether goods came back.
-- superseded_at: when the next version of the same key became known; NULL for the version in force.
WITH
-- What passed to another customer ends for the one who had it.
held AS (
    SELECT *, false AS is_moved
    FROM core.order_lines
    UNION ALL BY NAME
    SELECT id AS order_id, sub_id AS line_id, customer_id, event_time, known_time, true AS is_moved
    FROM core.moves
    WHERE of_table = 'order_lines'
),

versions AS (
    SELECT *, lead(known_time) OVER (PARTITION BY customer_id, order_id, line_id ORDER BY known_time, is_moved, event_time, amount, product_id) AS superseded_at
    FROM held
)

-- A version that was superseded as it became known was never in force.
SELECT * EXCLUDE (is_moved)
FROM versions
WHERE NOT is_moved AND (superseded_at IS NULL OR superseded_at > known_time)
