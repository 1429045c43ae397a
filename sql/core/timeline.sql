-- What happened to each customer, in one table: purchases, returns, events and touches in force, as the sequence models read them.
-- grain: customer_id, event_time, known_time, kind, product_id
-- customer_id: whose history it is; rows without a customer are left out.
-- event_time: when it happened.
-- known_time: when the company could have known the version in force.
-- kind: purchase, return, touch_sent, touch_open, touch_click or the type of an event.
-- product_id: product concerned; NULL for none.
-- category: category of that product, as known now; NULL for none.
-- channel: channel on which it happened.
-- amount: net value of a line or order, or the value of an event; NULL for none.
WITH
orders AS (
    SELECT order_id, customer_id, event_time, known_time, channel, amount, status = 'completed' AS is_purchase, is_void
    FROM core.order_versions
    WHERE superseded_at IS NULL
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

void AS (
    SELECT order_id
    FROM orders
    WHERE is_void
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
    LEFT ANTI JOIN void AS v ON v.order_id = l.order_id
),

-- Sources without order lines, such as a plain list of transactions, still have a history.
order_facts AS (
    SELECT
        o.customer_id,
        o.event_time,
        o.known_time,
        CASE WHEN o.is_purchase THEN 'purchase' ELSE 'return' END AS kind,
        cast(NULL AS VARCHAR) AS product_id,
        o.channel,
        o.amount
    FROM orders AS o
    LEFT ANTI JOIN lines AS l ON l.order_id = o.order_id
    WHERE NOT o.is_void
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
