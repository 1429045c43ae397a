-- Forecasts: orders, revenue and active customers of the next 13 weeks, of all, by channel and by country, each by the model
-- that forecast its own last weeks best. One row per metric, segmentation, segment and week ahead; segments of fewer than 8
-- weeks are left out.
-- owner: perennial
-- grain: metric, segmentation, segment, week
-- check: low <= high
-- metric: orders, revenue or active_customers, as in insights.metric_series.
-- segmentation: all, channel or country.
-- segment: channel of the orders, country of their customers, or all.
-- week: Monday of the week that is forecast.
-- forecast: mean that is expected.
-- low: lower end of its 95 % interval; may lie below 0.
-- high: upper end.
-- method: model that was chosen.
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

ahead AS (
    SELECT series, week, forecast, low, high, method
    FROM forecast((SELECT series, week, value FROM series), every => 'week', horizon => 13, level => 0.95)
)

SELECT n.metric, n.segmentation, n.segment, a.week, a.forecast, a.low, a.high, a.method
FROM ahead AS a
INNER JOIN names AS n ON n.series = a.series
