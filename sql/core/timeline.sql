-- What happened to each customer, as the sequence models read it: one row per version of an order line, order without lines, event and touch.
-- owner: perennial
-- customer_id: whose history it is; rows without a customer are left out.
-- event_time: when it happened.
-- known_time: when the company could have known this version.
-- superseded_at: when it stopped counting, because a next version became known or the order fell through; NULL for what is in force.
-- kind: purchase, return, cancellation (an order, for as long as it counts as fallen through), touch_sent, touch_open, touch_click or the type of an event.
-- product_id: product concerned; NULL for none.
-- category: category of that product, as known now; NULL for none.
-- channel: channel on which it happened.
-- amount: net value of a line or order, or the value of an event; NULL for none.
WITH
void AS (
    SELECT customer_id, order_id, known_time, superseded_at
    FROM core.order_versions
    WHERE is_void
),

-- The times in which an order that ever fell through did count: until each fall, and from when it stood again.
standing AS (
    SELECT
        customer_id,
        order_id,
        lag(superseded_at) OVER (PARTITION BY customer_id, order_id ORDER BY known_time) AS from_time,
        known_time AS until_time
    FROM void
    UNION ALL
    SELECT customer_id, order_id, max(superseded_at) AS from_time, cast(NULL AS TIMESTAMP) AS until_time
    FROM void
    GROUP BY customer_id, order_id
    HAVING count(*) = count(superseded_at)
),

-- Orders that never fell through have no row in standing, and greatest and least pass over NULL.
line_facts AS (
    SELECT
        l.customer_id,
        l.event_time,
        greatest(l.known_time, s.from_time) AS known_time,
        least(l.superseded_at, s.until_time) AS superseded_at,
        CASE WHEN l.is_return THEN 'return' ELSE 'purchase' END AS kind,
        l.product_id,
        l.channel,
        l.amount
    FROM core.line_versions AS l
    LEFT JOIN standing AS s ON s.customer_id = l.customer_id AND s.order_id = l.order_id
),

-- Sources without order lines, such as a plain list of transactions, still have a history.
order_facts AS (
    SELECT
        o.customer_id,
        o.event_time,
        o.known_time,
        o.superseded_at,
        CASE WHEN o.status = 'completed' THEN 'purchase' ELSE 'return' END AS kind,
        cast(NULL AS VARCHAR) AS product_id,
        o.channel,
        o.amount
    FROM core.order_versions AS o
    LEFT ANTI JOIN core.order_lines AS l ON l.customer_id = o.customer_id AND l.order_id = o.order_id
    WHERE NOT o.is_void
),

cancellation_facts AS (
    SELECT
        customer_id,
        event_time,
        known_time,
        superseded_at,
        'cancellation' AS kind,
        cast(NULL AS VARCHAR) AS product_id,
        channel,
        amount
    FROM core.order_versions
    WHERE is_void AND status <> 'moved'
),

event_facts AS (
    SELECT customer_id, event_time, known_time, superseded_at, type AS kind, product_id, channel, value AS amount
    FROM core.event_versions
),

touch_facts AS (
    SELECT
        customer_id,
        event_time,
        known_time,
        superseded_at,
        'touch_' || kind AS kind,
        cast(NULL AS VARCHAR) AS product_id,
        channel,
        cast(NULL AS DOUBLE) AS amount
    FROM core.touch_versions
),

facts AS (
    SELECT * FROM line_facts
    WHERE superseded_at IS NULL OR superseded_at > known_time
    UNION ALL
    SELECT * FROM order_facts
    UNION ALL
    SELECT * FROM cancellation_facts
    UNION ALL
    SELECT * FROM event_facts
    UNION ALL
    SELECT * FROM touch_facts
),

products AS (
    SELECT product_id, category
    FROM core.product_versions
    WHERE superseded_at IS NULL
)

SELECT
    f.customer_id,
    f.event_time,
    f.known_time,
    f.superseded_at,
    f.kind,
    f.product_id,
    p.category,
    f.channel,
    f.amount
FROM facts AS f
LEFT JOIN products AS p ON p.product_id = f.product_id
WHERE f.customer_id IS NOT NULL
