-- Attribution: what each model credits to a channel and campaign, from insights.attribution_touches. One row per channel, campaign and model.
-- Every model gives away the same purchases and the same value, all of those that had a touch in the 30 days before.
-- owner: perennial
-- grain: channel, campaign_id, model
-- check: accepted(model, first, last, linear, time_decay, position)
-- check: credited_orders >= 0
-- check: credited_orders <= count_orders + 0.001
-- check: sum_equals(credited_orders, insights.attribution_touches.first_weight, 0.001) where model = 'first'
-- check: sum_equals(credited_orders, insights.attribution_touches.first_weight, 0.001) where model = 'last'
-- check: sum_equals(credited_orders, insights.attribution_touches.first_weight, 0.001) where model = 'linear'
-- check: sum_equals(credited_orders, insights.attribution_touches.first_weight, 0.001) where model = 'time_decay'
-- check: sum_equals(credited_orders, insights.attribution_touches.first_weight, 0.001) where model = 'position'
-- channel: channel of the touches; unknown where the source does not say.
-- campaign_id: campaign of the touches; unknown where the source does not say.
-- model: first, last, linear, time_decay or position.
-- count_orders: purchases with such a touch in the 30 days before, the same for every model.
-- credited_orders: purchases that the model credits, in fractions; over all rows of a model the purchases that had a touch.
-- credited_revenue: their value, shared the same way.
-- order_share: credited purchases over those of all rows of the model.
WITH
touches AS (
    SELECT
        *,
        coalesce(channel, 'unknown') AS known_channel,
        coalesce(campaign_id, 'unknown') AS known_campaign_id
    FROM insights.attribution_touches
),

sums AS (
    SELECT
        known_channel AS channel,
        known_campaign_id AS campaign_id,
        count(DISTINCT order_id) AS count_orders,
        sum(first_weight) AS first_orders,
        sum(first_weight * amount) AS first_revenue,
        sum(last_weight) AS last_orders,
        sum(last_weight * amount) AS last_revenue,
        sum(linear_weight) AS linear_orders,
        sum(linear_weight * amount) AS linear_revenue,
        sum(time_decay_weight) AS time_decay_orders,
        sum(time_decay_weight * amount) AS time_decay_revenue,
        sum(position_weight) AS position_orders,
        sum(position_weight * amount) AS position_revenue
    FROM touches
    GROUP BY known_channel, known_campaign_id
),

models AS (
    SELECT model
    FROM (VALUES ('first'), ('last'), ('linear'), ('time_decay'), ('position')) AS listed (model)
),

credited AS (
    SELECT
        s.channel,
        s.campaign_id,
        m.model,
        s.count_orders,
        CASE m.model
            WHEN 'first' THEN s.first_orders
            WHEN 'last' THEN s.last_orders
            WHEN 'linear' THEN s.linear_orders
            WHEN 'time_decay' THEN s.time_decay_orders
            ELSE s.position_orders
        END AS credited_orders,
        CASE m.model
            WHEN 'first' THEN s.first_revenue
            WHEN 'last' THEN s.last_revenue
            WHEN 'linear' THEN s.linear_revenue
            WHEN 'time_decay' THEN s.time_decay_revenue
            ELSE s.position_revenue
        END AS credited_revenue
    FROM sums AS s
    CROSS JOIN models AS m
)

SELECT
    channel,
    campaign_id,
    model,
    count_orders,
    credited_orders,
    credited_revenue,
    credited_orders / sum(credited_orders) OVER (PARTITION BY model) AS order_share
FROM credited
