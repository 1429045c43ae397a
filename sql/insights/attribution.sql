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
        order_id,
        amount,
        coalesce(channel, 'unknown') AS channel,
        coalesce(campaign_id, 'unknown') AS campaign_id,
        first_weight,
        last_weight,
        linear_weight,
        time_decay_weight,
        position_weight
    FROM insights.attribution_touches
),

models AS (
    SELECT model
    FROM (VALUES ('first'), ('last'), ('linear'), ('time_decay'), ('position')) AS listed (model)
),

weighted AS (
    SELECT
        t.order_id,
        t.amount,
        t.channel,
        t.campaign_id,
        m.model,
        CASE m.model
            WHEN 'first' THEN t.first_weight
            WHEN 'last' THEN t.last_weight
            WHEN 'linear' THEN t.linear_weight
            WHEN 'time_decay' THEN t.time_decay_weight
            ELSE t.position_weight
        END AS weight
    FROM touches AS t
    CROSS JOIN models AS m
),

credited AS (
    SELECT
        channel,
        campaign_id,
        model,
        count(DISTINCT order_id) AS count_orders,
        sum(weight) AS credited_orders,
        sum(weight * amount) AS credited_revenue
    FROM weighted
    GROUP BY channel, campaign_id, model
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
