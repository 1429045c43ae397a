-- Campaign response: what campaigns sent to a customer, and what came of it. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: count_touch_orders >= 0
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- count_sent: messages sent before the cut-off.
-- count_sent_90d: messages sent in the 90 days before the cut-off.
-- count_opens: messages opened.
-- count_clicks: messages clicked.
-- open_rate: opens per message sent; NULL for none sent.
-- click_rate: clicks per message sent; NULL for none sent.
-- days_since_sent: days from the newest message to the cut-off; NULL for none.
-- days_since_response: days from the newest open or click to the cut-off; NULL for none.
-- count_touch_orders: purchases made within 14 days after a message was sent.
-- touch_orders_per_sent: those purchases per message sent; NULL for none sent.
-- count_campaign_orders: purchases that the source credits to a campaign.
-- count_redemptions: coupons used.
WITH
touched AS (
    SELECT
        customer_id,
        as_of,
        count(*) FILTER (WHERE kind = 'sent') AS count_sent,
        count(*) FILTER (WHERE kind = 'sent' AND event_time >= as_of - INTERVAL '90 days') AS count_sent_90d,
        count(*) FILTER (WHERE kind = 'open') AS count_opens,
        count(*) FILTER (WHERE kind = 'click') AS count_clicks,
        max(event_time) FILTER (WHERE kind = 'sent') AS last_sent_at,
        max(event_time) FILTER (WHERE kind IN ('open', 'click')) AS last_response_at
    FROM features.known_touches
    GROUP BY customer_id, as_of
),

orders AS (
    SELECT customer_id, as_of, event_time, campaign_id
    FROM features.known_orders
    WHERE is_purchase
),

sent AS (
    SELECT customer_id, as_of, event_time
    FROM features.known_touches
    WHERE kind = 'sent'
),

-- An order counts once, however many messages went before it.
responses AS (
    SELECT o.customer_id, o.as_of, count(*) AS count_touch_orders
    FROM orders AS o
    LEFT SEMI JOIN sent AS t
        ON t.customer_id = o.customer_id
        AND t.as_of = o.as_of
        AND t.event_time <= o.event_time
        AND t.event_time >= o.event_time - INTERVAL '14 days'
    GROUP BY o.customer_id, o.as_of
),

credited AS (
    SELECT customer_id, as_of, count(campaign_id) AS count_campaign_orders
    FROM orders
    GROUP BY customer_id, as_of
),

redeemed AS (
    SELECT customer_id, as_of, count(*) AS count_redemptions
    FROM features.known_redemptions
    GROUP BY customer_id, as_of
)

SELECT
    s.customer_id,
    s.as_of,
    coalesce(t.count_sent, 0) AS count_sent,
    coalesce(t.count_sent_90d, 0) AS count_sent_90d,
    coalesce(t.count_opens, 0) AS count_opens,
    coalesce(t.count_clicks, 0) AS count_clicks,
    t.count_opens / nullif(cast(t.count_sent AS DOUBLE), 0.0) AS open_rate,
    t.count_clicks / nullif(cast(t.count_sent AS DOUBLE), 0.0) AS click_rate,
    date_part('epoch', s.as_of - t.last_sent_at) / 86400.0 AS days_since_sent,
    date_part('epoch', s.as_of - t.last_response_at) / 86400.0 AS days_since_response,
    coalesce(r.count_touch_orders, 0) AS count_touch_orders,
    coalesce(r.count_touch_orders, 0) / nullif(cast(t.count_sent AS DOUBLE), 0.0) AS touch_orders_per_sent,
    coalesce(c.count_campaign_orders, 0) AS count_campaign_orders,
    coalesce(d.count_redemptions, 0) AS count_redemptions
FROM spine AS s
LEFT JOIN touched AS t ON t.customer_id = s.customer_id AND t.as_of = s.as_of
LEFT JOIN responses AS r ON r.customer_id = s.customer_id AND r.as_of = s.as_of
LEFT JOIN credited AS c ON c.customer_id = s.customer_id AND c.as_of = s.as_of
LEFT JOIN redeemed AS d ON d.customer_id = s.customer_id AND d.as_of = s.as_of
