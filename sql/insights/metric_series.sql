-- Metric series: orders, revenue and active customers week by week, of all, by channel and by country, for insights.forecasts
-- and insights.metric_anomalies, in the newest version known. One row per metric, segmentation, segment and complete week
-- (from Monday, UTC) from the first week of the data on; a segment starts with its first order, and a week without any is 0.
-- Segments that customers move between, such as tiers, have no series: today's members would have a past of their own.
-- owner: perennial
-- grain: metric, segmentation, segment, week
-- check: accepted(segmentation, all, channel, country)
-- check: accepted(metric, orders, revenue, active_customers)
-- metric: orders (purchases, guests' too), revenue (net of returns) or active_customers (different known ones who purchased).
-- segmentation: all, channel or country.
-- segment: channel of the orders, country of their customers, unknown where there is none; all for all of them together.
-- week: its Monday.
-- value: the metric in that week.
WITH
countries AS (
    SELECT customer_id, country
    FROM core.customer_versions
    WHERE superseded_at IS NULL AND country IS NOT NULL
),

orders AS (
    SELECT
        o.customer_id,
        cast(date_trunc('week', o.event_time) AS DATE) AS week,
        coalesce(o.channel, 'unknown') AS channel,
        coalesce(n.country, 'unknown') AS country,
        coalesce(o.amount, 0.0) AS amount,
        o.status = 'completed' AS is_purchase
    FROM core.order_versions AS o
    LEFT JOIN countries AS n ON n.customer_id = o.customer_id
    CROSS JOIN params AS p
    WHERE o.superseded_at IS NULL
        AND NOT o.is_void
        AND o.event_time < date_trunc('week', p.observed_until)
),

-- A customer who buys on two channels counts once among all.
doubled AS (
    SELECT customer_id, week, 'channel' AS segmentation, channel AS segment, amount, is_purchase
    FROM orders
    UNION ALL
    SELECT customer_id, week, 'country' AS segmentation, country AS segment, amount, is_purchase
    FROM orders
    UNION ALL
    SELECT customer_id, week, 'all' AS segmentation, 'all' AS segment, amount, is_purchase
    FROM orders
),

-- The first week may have begun before the data.
started AS (
    SELECT min(week) AS first_week
    FROM orders
),

sold AS (
    SELECT
        d.segmentation,
        d.segment,
        d.week,
        count(*) FILTER (WHERE d.is_purchase) AS count_orders,
        sum(d.amount) AS revenue,
        count(DISTINCT CASE WHEN d.is_purchase THEN d.customer_id END) AS count_customers
    FROM doubled AS d
    INNER JOIN started AS s ON d.week > s.first_week
    GROUP BY d.segmentation, d.segment, d.week
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
