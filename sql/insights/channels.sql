-- Channels: what the contacts of each channel cost, and what each model of attribution says they brought. One row per channel
-- and model. The models share out the purchases of insights.attribution_touches; markov and shapley also learn from contacts
-- that no purchase followed. None of them knows what would have been bought without: a holdout tells that, as in
-- insights.experiments.
-- owner: perennial
-- grain: channel, model
-- check: accepted(model, first, last, linear, time_decay, position, markov, shapley)
-- check: credited_orders >= 0 or model = 'shapley'
-- check: sum_equals(credited_orders, insights.attribution_touches.first_weight, 0.001) where model = 'last'
-- check: sum_equals(credited_orders, insights.attribution_touches.first_weight, 0.001) where model = 'markov'
-- check: sum_equals(credited_orders, insights.attribution_touches.first_weight, 0.001) where model = 'shapley'
-- channel: channel of the touches, or of campaigns without any; unknown where the source does not say.
-- model: first, last, linear, time_decay, position, markov or shapley.
-- credited_orders: purchases that the model credits the channel with, in fractions; NULL for a channel without touches; below 0
-- for a channel of shapley with which fewer contacts led to a purchase than without; NULL for shapley of over 128 channels.
-- credited_revenue: their value, shared the same way.
-- order_share: credited purchases over those of all channels; NULL where no touch led to a purchase.
-- cost: fixed cost of the channel's campaigns and that of every touch; NULL where no cost is known.
-- cost_per_order: cost over credited purchases; NULL for none.
-- roi: credited revenue less cost over cost; revenue, not margin; NULL without cost.
WITH
orders AS (
    SELECT customer_id, event_time
    FROM core.order_versions
    WHERE superseded_at IS NULL AND status = 'completed' AND customer_id IS NOT NULL
),

touches AS (
    SELECT customer_id, campaign_id, coalesce(channel, 'unknown') AS channel, event_time, cost
    FROM core.touch_versions
    WHERE superseded_at IS NULL
),

-- The order that follows each touch, if any: at one time the touch comes first.
steps AS (
    SELECT customer_id, NULL AS campaign_id, NULL AS channel, event_time, event_time AS ordered_at
    FROM orders
    UNION ALL
    SELECT customer_id, campaign_id, channel, event_time, NULL AS ordered_at
    FROM touches
    WHERE customer_id IS NOT NULL
),

followed AS (
    SELECT
        *,
        min(ordered_at) OVER (
            PARTITION BY customer_id ORDER BY event_time RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS next_ordered_at
    FROM steps
),

-- Touches that no purchase followed in 30 days are a path that led to nothing, from one purchase to the next. What a purchase
-- of a negative value brought nobody can be credited with.
paths AS (
    SELECT
        order_id AS path,
        touched_at,
        coalesce(channel, 'unknown') AS channel,
        1.0 AS conversions,
        -- In cents, so that what floats leave of a sum that is 0 is nothing.
        greatest(round(amount, 2), 0.0) AS amount
    FROM insights.attribution_touches
    UNION ALL
    SELECT
        concat(customer_id, ' before ', coalesce(cast(next_ordered_at AS VARCHAR), 'any')) AS path,
        min(event_time) AS touched_at,
        channel,
        0.0 AS conversions,
        0.0 AS amount
    FROM followed
    WHERE channel IS NOT NULL AND (next_ordered_at IS NULL OR next_ordered_at > event_time + INTERVAL '30 days')
    GROUP BY customer_id, next_ordered_at, campaign_id, channel, cast(event_time AS DATE)
),

credited AS (
    SELECT channel, model, sum(credited_orders) AS credited_orders, sum(credited_revenue) AS credited_revenue
    FROM insights.attribution
    GROUP BY channel, model
    UNION ALL
    SELECT channel, 'markov' AS model, conversions AS credited_orders, value AS credited_revenue
    FROM attribution((SELECT path, touched_at, channel, conversions, amount FROM paths), model => 'markov')
    UNION ALL
    SELECT channel, 'shapley' AS model, conversions AS credited_orders, value AS credited_revenue
    FROM attribution((
        SELECT p.path, p.touched_at, p.channel, p.conversions, p.amount
        FROM paths AS p
        CROSS JOIN (SELECT count(DISTINCT channel) <= 128 AS are_few FROM paths) AS c
        WHERE c.are_few
    ), model => 'shapley')
),

costs AS (
    SELECT coalesce(channel, 'unknown') AS channel, cost
    FROM core.campaign_versions
    WHERE superseded_at IS NULL
    UNION ALL
    SELECT channel, cost
    FROM touches
),

spent AS (
    SELECT channel, sum(cost) AS cost
    FROM costs
    GROUP BY channel
),

-- Every channel beside every model, so that what cost without an order shows.
models AS (
    SELECT model
    FROM (VALUES ('first'), ('last'), ('linear'), ('time_decay'), ('position'), ('markov'), ('shapley')) AS listed (model)
)

SELECT
    s.channel,
    m.model,
    c.credited_orders,
    c.credited_revenue,
    c.credited_orders / nullif(sum(c.credited_orders) OVER (PARTITION BY m.model), 0.0) AS order_share,
    s.cost,
    s.cost / CASE WHEN c.credited_orders > 0.0 THEN c.credited_orders END AS cost_per_order,
    (c.credited_revenue - s.cost) / CASE WHEN s.cost > 0.0 THEN s.cost END AS roi
FROM spent AS s
CROSS JOIN models AS m
LEFT JOIN credited AS c ON c.channel = s.channel AND c.model = m.model
