-- Campaigns: what each one reached, cost and brought by last touch, in the newest version known. One row per campaign.
-- Last touch: a purchase belongs to the campaign of the customer's newest touch in the 7 days before it, whatever came
-- before. That says who was there last, not what would have been bought without: a holdout tells that.
-- owner: perennial
-- grain: campaign_id
-- check: count_opens >= 0
-- check: count_new_buyers <= count_buyers
-- campaign_id: campaign, of the campaigns' own table or only of touches.
-- name: name of the campaign.
-- channel: channel on which it reaches customers; where only touches know, theirs, NULL for several.
-- started_at: when it started.
-- count_sent: messages sent.
-- count_opens: messages opened.
-- count_clicks: messages clicked.
-- count_reached: different customers with any touch.
-- cost: fixed cost and that of every touch; unknown costs count as 0.
-- count_orders: purchases that belong to it.
-- revenue: their value, before returns.
-- count_buyers: different customers who made them.
-- count_new_buyers: those of them whose first purchase ever is among them.
-- roi: revenue less cost over cost; revenue, not margin; NULL without cost.
-- cost_per_new_buyer: cost over new buyers; NULL for none.
WITH
campaigns AS (
    SELECT campaign_id, name, channel, event_time AS started_at, coalesce(cost, 0.0) AS cost
    FROM core.campaign_versions
    WHERE superseded_at IS NULL
),

touches AS (
    SELECT touch_id, customer_id, campaign_id, channel, kind, event_time, coalesce(cost, 0.0) AS cost
    FROM core.touch_versions
    WHERE superseded_at IS NULL AND campaign_id IS NOT NULL
),

orders AS (
    SELECT
        order_id,
        customer_id,
        event_time,
        coalesce(amount, 0.0) AS amount,
        row_number() OVER (PARTITION BY customer_id ORDER BY event_time, order_id) = 1 AS is_first
    FROM core.order_versions
    WHERE superseded_at IS NULL AND status = 'completed' AND customer_id IS NOT NULL
),

reached AS (
    SELECT
        campaign_id,
        CASE WHEN count(DISTINCT channel) = 1 THEN min(channel) END AS channel,
        count(*) FILTER (WHERE kind = 'sent') AS count_sent,
        count(*) FILTER (WHERE kind = 'open') AS count_opens,
        count(*) FILTER (WHERE kind = 'click') AS count_clicks,
        count(DISTINCT customer_id) AS count_reached,
        sum(cost) AS touch_cost
    FROM touches
    GROUP BY campaign_id
),

last_touches AS (
    SELECT o.order_id, o.customer_id, o.amount, o.is_first, t.campaign_id
    FROM orders AS o
    INNER JOIN touches AS t
        ON t.customer_id = o.customer_id
        AND t.event_time <= o.event_time
        AND t.event_time >= o.event_time - INTERVAL '7 days'
    QUALIFY row_number() OVER (PARTITION BY o.order_id ORDER BY t.event_time DESC, t.touch_id DESC) = 1
),

bought AS (
    SELECT
        campaign_id,
        count(*) AS count_orders,
        sum(amount) AS revenue,
        count(DISTINCT customer_id) AS count_buyers,
        count(*) FILTER (WHERE is_first) AS count_new_buyers
    FROM last_touches
    GROUP BY campaign_id
),

joined AS (
    SELECT
        coalesce(c.campaign_id, r.campaign_id) AS campaign_id,
        c.name,
        coalesce(c.channel, r.channel) AS channel,
        c.started_at,
        coalesce(r.count_sent, 0) AS count_sent,
        coalesce(r.count_opens, 0) AS count_opens,
        coalesce(r.count_clicks, 0) AS count_clicks,
        coalesce(r.count_reached, 0) AS count_reached,
        coalesce(c.cost, 0.0) + coalesce(r.touch_cost, 0.0) AS cost
    FROM campaigns AS c
    FULL JOIN reached AS r ON r.campaign_id = c.campaign_id
)

SELECT
    j.campaign_id,
    j.name,
    j.channel,
    j.started_at,
    j.count_sent,
    j.count_opens,
    j.count_clicks,
    j.count_reached,
    j.cost,
    coalesce(b.count_orders, 0) AS count_orders,
    coalesce(b.revenue, 0.0) AS revenue,
    coalesce(b.count_buyers, 0) AS count_buyers,
    coalesce(b.count_new_buyers, 0) AS count_new_buyers,
    (coalesce(b.revenue, 0.0) - j.cost) / nullif(j.cost, 0.0) AS roi,
    j.cost / nullif(cast(b.count_new_buyers AS DOUBLE), 0.0) AS cost_per_new_buyer
FROM joined AS j
LEFT JOIN bought AS b ON b.campaign_id = j.campaign_id
