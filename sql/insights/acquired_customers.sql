-- Acquired customers: when each customer bought first, and which touch came before, in the newest version known. One row
-- per customer who has bought. Last touch says who was there, not who would have stayed away: a holdout tells that.
-- owner: perennial
-- grain: customer_id
-- customer_id: customer with a purchase.
-- first_at: when the first purchase was made.
-- channel: channel of the newest touch in the 30 days up to it; without one that of the sign-up, unknown where there is none.
-- campaign_id: campaign of that touch; NULL without one.
WITH
orders AS (
    SELECT customer_id, min(event_time) AS first_at
    FROM core.order_versions
    WHERE superseded_at IS NULL AND status = 'completed' AND customer_id IS NOT NULL
    GROUP BY customer_id
),

touches AS (
    SELECT customer_id, touch_id, event_time, campaign_id, channel
    FROM core.touch_versions
    WHERE superseded_at IS NULL
),

last_touches AS (
    SELECT o.customer_id, t.channel, t.campaign_id
    FROM orders AS o
    INNER JOIN touches AS t
        ON t.customer_id = o.customer_id
        AND t.event_time <= o.first_at
        AND t.event_time >= o.first_at - INTERVAL '30 days'
    QUALIFY row_number() OVER (PARTITION BY o.customer_id ORDER BY t.event_time DESC, t.touch_id DESC) = 1
),

customers AS (
    SELECT customer_id, signup_channel
    FROM core.customer_versions
    WHERE superseded_at IS NULL AND NOT coalesce(is_deleted, false)
)

SELECT
    o.customer_id,
    o.first_at,
    coalesce(t.channel, c.signup_channel, 'unknown') AS channel,
    t.campaign_id
FROM orders AS o
LEFT JOIN last_touches AS t ON t.customer_id = o.customer_id
LEFT JOIN customers AS c ON c.customer_id = o.customer_id
