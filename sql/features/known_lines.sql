-- Order lines that count, with their product's category, as known at each cut-off: the point-in-time rule for lines.
-- owner: perennial
-- grain: customer_id, as_of, order_id, line_id
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row; event time and known time of every line here lie before it.
-- order_id: order or return document of the line.
-- line_id: id of the line within its order.
-- event_time: when the order was placed or the goods came back.
-- product_id: what was bought or returned.
-- category: category of the product as known at the cut-off; NULL where none was.
-- quantity: pieces, negative where goods came back.
-- amount: net value of the line; negative for a return.
-- is_return: whether goods came back.
WITH
-- A line counts while its order does, so an order known before the cut-off to have fallen through takes its lines along.
void AS (
    SELECT customer_id, order_id, known_time, superseded_at
    FROM core.order_versions
    WHERE is_void
),

known AS (
    SELECT
        s.customer_id,
        s.as_of,
        l.order_id,
        l.line_id,
        l.event_time,
        l.product_id,
        coalesce(l.quantity, 0.0) AS quantity,
        coalesce(l.amount, 0.0) AS amount,
        coalesce(l.is_return, false) AS is_return
    FROM spine AS s
    INNER JOIN core.line_versions AS l
        ON l.customer_id = s.customer_id
        AND l.event_time < s.as_of
        AND l.known_time < s.as_of
        AND (l.superseded_at IS NULL OR l.superseded_at >= s.as_of)
)

SELECT
    k.customer_id,
    k.as_of,
    k.order_id,
    k.line_id,
    k.event_time,
    k.product_id,
    p.category,
    k.quantity,
    k.amount,
    k.is_return
FROM known AS k
LEFT JOIN core.product_versions AS p
    ON p.product_id = k.product_id
    AND p.event_time < k.as_of
    AND p.known_time < k.as_of
    AND (p.superseded_at IS NULL OR p.superseded_at >= k.as_of)
LEFT ANTI JOIN void AS v
    ON v.customer_id = k.customer_id
    AND v.order_id = k.order_id
    AND v.known_time < k.as_of
    AND (v.superseded_at IS NULL OR v.superseded_at >= k.as_of)
