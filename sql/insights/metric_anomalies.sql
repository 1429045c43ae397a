-- Metric anomalies: weeks in which orders, revenue or active customers were not what was expected of them. One row per metric,
-- segmentation, segment and such week; segments of fewer than 8 weeks are left out.
-- owner: perennial
-- grain: metric, segmentation, segment, week
-- metric: orders, revenue or active_customers, as in insights.metric_series.
-- segmentation: all, channel or country.
-- segment: channel of the orders, country of their customers, or all.
-- week: Monday of the week.
-- value: the metric in that week.
-- expected: what the model of the series expected of it.
-- score: how far the value lies above (or, below 0, under) that, in robust deviations; 3.5 and more count.
WITH
series AS (
    SELECT concat(metric, ' ', segmentation, ' ', segment) AS series, metric, segmentation, segment, week, value
    FROM insights.metric_series
    QUALIFY count(*) OVER (PARTITION BY metric, segmentation, segment) >= 8
),

names AS (
    SELECT DISTINCT series, metric, segmentation, segment
    FROM series
),

watched AS (
    SELECT series, week, value, expected, score
    FROM anomalies((SELECT series, week, value FROM series), every => 'week', threshold => 3.5)
    WHERE is_anomaly
)

SELECT n.metric, n.segmentation, n.segment, w.week, w.value, w.expected, w.score
FROM watched AS w
INNER JOIN names AS n ON n.series = w.series
