-- Sessions: visits with what was done in them, in their newest version known. One row per session; events without one are left out.
-- Core orders name no session, so an order belongs to the newest session that its customer began on the same channel in
-- the 24 hours before it; an event of type purchase says it outright.
-- owner: perennial
-- grain: session_id
-- check: ended_at >= started_at
-- session_id: id of the visit.
-- customer_id: who came; NULL for an unknown visitor.
-- channel: channel of the visit.
-- started_at: first event.
-- ended_at: last event.
-- is_viewed: whether a product was viewed.
-- is_carted: whether a product was put into the cart.
-- is_bought: whether it led to a purchase.
WITH
events AS (
    SELECT session_id, customer_id, channel, event_time, type
    FROM core.event_versions
    WHERE superseded_at IS NULL AND session_id IS NOT NULL
),

-- A visitor who logs in on the way is known from then on.
visits AS (
    SELECT
        session_id,
        max(customer_id) AS customer_id,
        min(channel) AS channel,
        min(event_time) AS started_at,
        max(event_time) AS ended_at,
        bool_or(coalesce(type = 'view', false)) AS is_viewed,
        bool_or(coalesce(type = 'cart', false)) AS is_carted,
        bool_or(coalesce(type = 'purchase', false)) AS is_logged_purchase
    FROM events
    GROUP BY session_id
),

orders AS (
    SELECT order_id, customer_id, channel, event_time
    FROM core.order_versions
    WHERE superseded_at IS NULL AND status = 'completed' AND customer_id IS NOT NULL
),

orders_of_visits AS (
    SELECT o.order_id, v.session_id
    FROM orders AS o
    INNER JOIN visits AS v
        ON v.customer_id = o.customer_id
        AND v.channel = o.channel
        AND v.started_at <= o.event_time
        AND v.started_at > o.event_time - INTERVAL '24 hours'
    QUALIFY row_number() OVER (PARTITION BY o.order_id ORDER BY v.started_at DESC, v.session_id) = 1
),

bought AS (
    SELECT DISTINCT session_id
    FROM orders_of_visits
)

SELECT
    v.session_id,
    v.customer_id,
    v.channel,
    v.started_at,
    v.ended_at,
    v.is_viewed,
    v.is_carted,
    v.is_logged_purchase OR b.session_id IS NOT NULL AS is_bought
FROM visits AS v
LEFT JOIN bought AS b ON b.session_id = v.session_id
