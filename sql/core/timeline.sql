-- What happened to each customer, as the sequence models read it: one row per order line, order without lines, event and touch in force.
-- customer_id: whose history it is; rows without a customer are left out.
-- event_time: when it happened.
-- known_time: when the company could have known the version in force.
-- kind: purchase, return (also of a whole order that fell through), touch_sent, touch_open, touch_click or the type of an event.
-- product_id: product concerned; NULL for none.
-- category: category of that product, as known now; NULL for none.
-- channel: channel on which it happened.
-- amount: net value of a line or order, or the value of an event; NULL for none.
WITH
void AS (
    SELECT order_id, event_time, known_time
    FROM core.order_versions
    WHERE superseded_at IS NULL AND is_void
),

-- What an order was before it fell through, so that a history cut before that was known still shows it.
fallen AS (
    SELECT o.order_id, o.customer_id, o.event_time, o.known_time, o.channel, o.amount, o.status
    FROM core.order_versions AS o
    LEFT SEMI JOIN void AS v ON v.order_id = o.order_id
    WHERE NOT o.is_void
    QUALIFY row_number() OVER (PARTITION BY o.order_id ORDER BY o.known_time DESC, o.event_time DESC) = 1
),

never AS (
    SELECT v.order_id
    FROM void AS v
    LEFT ANTI JOIN fallen AS f ON f.order_id = v.order_id
),

orders AS (
    SELECT order_id, customer_id, event_time, known_time, channel, amount, status
    FROM core.order_versions
    WHERE superseded_at IS NULL AND NOT is_void
    UNION ALL
    SELECT order_id, customer_id, event_time, known_time, channel, amount, status
    FROM fallen
),

lines AS (
    SELECT order_id, customer_id, event_time, known_time, product_id, channel, amount, is_return
    FROM core.line_versions
    WHERE superseded_at IS NULL
),

events AS (
    SELECT customer_id, event_time, known_time, type, product_id, channel, value
    FROM core.event_versions
    WHERE superseded_at IS NULL
),

touches AS (
    SELECT customer_id, event_time, known_time, kind, channel
    FROM core.touch_versions
    WHERE superseded_at IS NULL
),

products AS (
    SELECT product_id, category
    FROM core.product_versions
    WHERE superseded_at IS NULL
),

line_facts AS (
    SELECT
        l.customer_id,
        l.event_time,
        l.known_time,
        CASE WHEN l.is_return THEN 'return' ELSE 'purchase' END AS kind,
        l.product_id,
        l.channel,
        l.amount
    FROM lines AS l
    LEFT ANTI JOIN never AS n ON n.order_id = l.order_id
),

-- Sources without order lines, such as a plain list of transactions, still have a history.
order_facts AS (
    SELECT
        o.customer_id,
        o.event_time,
        o.known_time,
        CASE WHEN o.status = 'completed' THEN 'purchase' ELSE 'return' END AS kind,
        cast(NULL AS VARCHAR) AS product_id,
        o.channel,
        o.amount
    FROM orders AS o
    LEFT ANTI JOIN lines AS l ON l.order_id = o.order_id
),

-- Falling through takes the whole order back, on the day on which it became known.
fallen_facts AS (
    SELECT
        f.customer_id,
        greatest(f.event_time, v.event_time) AS event_time,
        v.known_time,
        'return' AS kind,
        cast(NULL AS VARCHAR) AS product_id,
        f.channel,
        -f.amount AS amount
    FROM fallen AS f
    INNER JOIN void AS v ON v.order_id = f.order_id
),

event_facts AS (
    SELECT customer_id, event_time, known_time, type AS kind, product_id, channel, value AS amount
    FROM events
),

touch_facts AS (
    SELECT
        customer_id,
        event_time,
        known_time,
        'touch_' || kind AS kind,
        cast(NULL AS VARCHAR) AS product_id,
        channel,
        cast(NULL AS DOUBLE) AS amount
    FROM touches
),

facts AS (
    SELECT * FROM line_facts
    UNION ALL
    SELECT * FROM order_facts
    UNION ALL
    SELECT * FROM fallen_facts
    UNION ALL
    SELECT * FROM event_facts
    UNION ALL
    SELECT * FROM touch_facts
)

SELECT
    f.customer_id,
    f.event_time,
    f.known_time,
    f.kind,
    f.product_id,
    p.category,
    f.channel,
    f.amount
FROM facts AS f
LEFT JOIN products AS p ON p.product_id = f.product_id
WHERE f.customer_id IS NOT NULL
