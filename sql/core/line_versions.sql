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
corrected AS (
    SELECT order_id, line_id
    FROM core.order_lines
    GROUP BY order_id, line_id
    HAVING count(*) > 1
),

-- Most keys have one version, so only the others are sorted; DISTINCT drops what was sent twice unchanged.
several AS (
    SELECT DISTINCT l.*
    FROM core.order_lines AS l
    LEFT SEMI JOIN corrected AS c ON c.order_id = l.order_id AND c.line_id = l.line_id
),

single AS (
    SELECT l.*
    FROM core.order_lines AS l
    LEFT ANTI JOIN corrected AS c ON c.order_id = l.order_id AND c.line_id = l.line_id
)

SELECT *, cast(NULL AS TIMESTAMP) AS superseded_at
FROM single
UNION ALL
SELECT *, lead(known_time) OVER (PARTITION BY order_id, line_id ORDER BY known_time, event_time, amount, product_id) AS superseded_at
FROM several
