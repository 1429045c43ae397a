-- Attribution, touch by touch: which contacts came before a purchase, and what share of it each model gives them.
-- A touch is what one campaign did to a customer on one channel and day: a message that is opened and clicked counts once,
-- at its first sign. Purchases by known customers count with the touches of the 30 days before; those without are left out.
-- owner: perennial
-- grain: order_id, touch_number
-- check: touch_number between 1 and count_touches
-- check: range(first_weight, 0, 1)
-- check: range(last_weight, 0, 1)
-- check: range(linear_weight, 0, 1)
-- check: range(time_decay_weight, 0, 1)
-- check: range(position_weight, 0, 1)
-- check: sum_equals(last_weight, insights.attribution_touches.first_weight by order_id, 0.000001)
-- check: sum_equals(linear_weight, insights.attribution_touches.first_weight by order_id, 0.000001)
-- check: sum_equals(time_decay_weight, insights.attribution_touches.first_weight by order_id, 0.000001)
-- check: sum_equals(position_weight, insights.attribution_touches.first_weight by order_id, 0.000001)
-- order_id: purchase.
-- customer_id: who made it.
-- ordered_at: when it was made.
-- amount: its value.
-- touch_number: 1 for the earliest touch.
-- count_touches: touches before the purchase.
-- touched_at: when the touch began.
-- campaign_id: campaign of the touch; NULL where the source does not say.
-- channel: channel of the touch.
-- first_weight: 1 for the earliest touch. The weights of each model add up to 1 over the touches of a purchase.
-- last_weight: 1 for the newest touch.
-- linear_weight: the same for every touch.
-- time_decay_weight: halved for every 7 days that the touch came earlier.
-- position_weight: 40 % for the earliest, 40 % for the newest, 20 % shared by those between; halves for two touches.
WITH
orders AS (
    SELECT order_id, customer_id, event_time AS ordered_at, coalesce(amount, 0.0) AS amount
    FROM core.order_versions
    WHERE superseded_at IS NULL AND status = 'completed' AND customer_id IS NOT NULL
),

touches AS (
    SELECT customer_id, campaign_id, channel, event_time
    FROM core.touch_versions
    WHERE superseded_at IS NULL AND customer_id IS NOT NULL
),

paths AS (
    SELECT
        o.order_id,
        o.customer_id,
        o.ordered_at,
        o.amount,
        t.campaign_id,
        t.channel,
        min(t.event_time) AS touched_at
    FROM orders AS o
    INNER JOIN touches AS t
        ON t.customer_id = o.customer_id
        AND t.event_time <= o.ordered_at
        AND t.event_time >= o.ordered_at - INTERVAL '30 days'
    GROUP BY o.order_id, o.customer_id, o.ordered_at, o.amount, t.campaign_id, t.channel, cast(t.event_time AS DATE)
),

decayed AS (
    SELECT *, power(0.5, date_part('epoch', ordered_at - touched_at) / 86400.0 / 7.0) AS decay
    FROM paths
),

numbered AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY customer_id, order_id ORDER BY touched_at, campaign_id, channel) AS touch_number,
        count(*) OVER (PARTITION BY customer_id, order_id) AS count_touches,
        sum(decay) OVER (PARTITION BY customer_id, order_id) AS sum_decay
    FROM decayed
)

SELECT
    order_id,
    customer_id,
    ordered_at,
    amount,
    cast(touch_number AS BIGINT) AS touch_number,
    count_touches,
    touched_at,
    campaign_id,
    channel,
    CASE WHEN touch_number = 1 THEN 1.0 ELSE 0.0 END AS first_weight,
    CASE WHEN touch_number = count_touches THEN 1.0 ELSE 0.0 END AS last_weight,
    1.0 / count_touches AS linear_weight,
    decay / sum_decay AS time_decay_weight,
    CASE
        WHEN count_touches <= 2 THEN 1.0 / count_touches
        WHEN touch_number IN (1, count_touches) THEN 0.4
        ELSE 0.2 / (count_touches - 2)
    END AS position_weight
FROM numbered
