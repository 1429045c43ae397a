-- Orders by segment: what counts as sold or as come back, in the newest version known, once for each segmentation that an order's
-- segment never changes in, for insights.metric_series and insights.seasonality. One row per order and segmentation.
-- Segments that customers move between, such as tiers, are not among them: today's members would have a past of their own.
-- owner: perennial
-- grain: order_id, segmentation
-- check: accepted(segmentation, all, channel, country)
-- check: not_null(segment)
-- order_id: purchase, or goods that came back.
-- customer_id: who made it; NULL for a guest.
-- event_time: when.
-- segmentation: all, channel or country.
-- segment: channel of the order, country of its customer as known now, unknown where there is none; all for all of them together.
-- amount: its value, below 0 for what came back; 0 where the source does not say.
-- is_purchase: whether it is a purchase.
WITH
countries AS (
    SELECT customer_id, country
    FROM core.customer_versions
    WHERE superseded_at IS NULL AND country IS NOT NULL
),

orders AS (
    SELECT
        o.order_id,
        o.customer_id,
        o.event_time,
        coalesce(o.channel, 'unknown') AS channel,
        coalesce(c.country, 'unknown') AS country,
        coalesce(o.amount, 0.0) AS amount,
        o.status = 'completed' AS is_purchase
    FROM core.order_versions AS o
    LEFT JOIN countries AS c ON c.customer_id = o.customer_id
    WHERE o.superseded_at IS NULL AND NOT o.is_void
)

SELECT order_id, customer_id, event_time, 'all' AS segmentation, 'all' AS segment, amount, is_purchase
FROM orders
UNION ALL
SELECT order_id, customer_id, event_time, 'channel' AS segmentation, channel AS segment, amount, is_purchase
FROM orders
UNION ALL
SELECT order_id, customer_id, event_time, 'country' AS segmentation, country AS segment, amount, is_purchase
FROM orders
