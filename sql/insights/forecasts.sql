-- Forecasts: orders, revenue and active customers of the next 13 weeks, of all and by channel, each by the model that forecast
-- its own last weeks best. One row per metric, segment and week ahead; segments of fewer than 8 weeks are left out.
-- owner: perennial
-- grain: metric, segment, week
-- check: low <= high
-- metric: orders, revenue or active_customers, as in insights.metric_series.
-- segment: channel of the orders, or all.
-- week: Monday of the week that is forecast.
-- forecast: mean that is expected.
-- low: lower end of its 95 % interval; may lie below 0.
-- high: upper end.
-- method: model that was chosen.
WITH
series AS (
    SELECT concat(metric, ' ', segment) AS series, metric, segment, week, value
    FROM insights.metric_series
    QUALIFY count(*) OVER (PARTITION BY metric, segment) >= 8
),

names AS (
    SELECT DISTINCT series, metric, segment
    FROM series
),

ahead AS (
    SELECT series, week, forecast, low, high, method
    FROM forecast((SELECT series, week, value FROM series), every => 'week', horizon => 13, level => 0.95)
)

SELECT n.metric, n.segment, a.week, a.forecast, a.low, a.high, a.method
FROM ahead AS a
INNER JOIN names AS n ON n.series = a.series
