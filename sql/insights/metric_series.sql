-- Metric series: orders, revenue and active customers week by week, of all, by channel and by country, for insights.forecasts
-- and insights.metric_anomalies, in the newest version known. One row per metric, segmentation, segment and complete week
-- (from Monday, UTC) from the first week of the data on; a segment starts with its first order, and a week without any is 0.
-- owner: perennial
-- grain: metric, segmentation, segment, week
-- check: accepted(segmentation, all, channel, country)
-- check: accepted(metric, orders, revenue, active_customers)
-- metric: orders (purchases, guests' too), revenue (net of returns) or active_customers (different known ones who purchased).
-- segmentation: all, channel or country, as in insights.orders_by_segment.
-- segment: channel of the orders, country of their customers, unknown where there is none; all for all of them together.
-- week: its Monday.
-- value: the metric in that week.
WITH
orders AS (
    SELECT
        o.customer_id,
        cast(date_trunc('week', o.event_time) AS DATE) AS week,
        o.segmentation,
        o.segment,
        o.amount,
        o.is_purchase
    FROM insights.orders_by_segment AS o
    CROSS JOIN params AS p
    WHERE o.event_time < date_trunc('week', p.observed_until)
),

-- The first week may have begun before the data.
started AS (
    SELECT min(week) AS first_week
    FROM orders
),

sold AS (
    SELECT
        o.segmentation,
        o.segment,
        o.week,
        count(*) FILTER (WHERE o.is_purchase) AS count_orders,
        sum(o.amount) AS revenue,
        count(DISTINCT CASE WHEN o.is_purchase THEN o.customer_id END) AS count_customers
    FROM orders AS o
    INNER JOIN started AS s ON o.week > s.first_week
    GROUP BY o.segmentation, o.segment, o.week
),

spans AS (
    SELECT
        s.segmentation,
        s.segment,
        min(s.week) AS first_week,
        (max(cast(date_trunc('week', p.observed_until) AS DATE)) - min(s.week)) / 7 AS count_weeks
    FROM sold AS s
    CROSS JOIN params AS p
    GROUP BY s.segmentation, s.segment
),

steps AS (
    SELECT unnest(range(0, count_weeks)) AS step
    FROM spans
    WHERE segmentation = 'all'
),

-- Joined, not unnested segment by segment: the planner takes a group's key for unique even when unnest has repeated it, and
-- then sorts by it alone.
weeks AS (
    SELECT s.segmentation, s.segment, s.first_week + 7 * n.step AS week
    FROM spans AS s
    INNER JOIN steps AS n ON n.step < s.count_weeks
),

metrics AS (
    SELECT metric
    FROM (VALUES ('orders'), ('revenue'), ('active_customers')) AS listed (metric)
)

SELECT
    m.metric,
    w.segmentation,
    w.segment,
    w.week,
    coalesce(
        CASE m.metric
            WHEN 'orders' THEN cast(s.count_orders AS DOUBLE)
            WHEN 'revenue' THEN s.revenue
            ELSE cast(s.count_customers AS DOUBLE)
        END,
        0.0
    ) AS value
FROM weeks AS w
LEFT JOIN sold AS s ON s.segmentation = w.segmentation AND s.segment = w.segment AND s.week = w.week
CROSS JOIN metrics AS m
