-- Seasonality: how much of the orders and the revenue falls on each weekday and each month of the year, 1 being the usual, of
-- all, by channel and by country, in the newest version known. One row per metric, segmentation, segment, cycle and step.
-- A weekday is compared with the mean day of its week, over complete weeks (from Monday, UTC) with sales; a month, per day, with
-- the centred mean of the twelve around it (classical decomposition), over complete months with half a year on either side,
-- so that growth is not taken for a season.
-- owner: perennial
-- grain: metric, segmentation, segment, cycle, step
-- check: accepted(metric, orders, revenue)
-- check: accepted(segmentation, all, channel, country)
-- check: accepted(cycle, weekday, month)
-- check: low <= high
-- metric: orders (purchases, guests' too) or revenue (net of returns).
-- segmentation: all, channel or country, as in insights.orders_by_segment.
-- segment: channel of the orders, country of their customers, unknown where there is none; all for all of them together.
-- cycle: weekday or month.
-- step: 1 (Monday) to 7, or 1 (January) to 12.
-- count_observed: weeks or years that it was observed in.
-- seasonal_index: mean over them of the step's value over the usual one.
-- low: lower end of its 95 % interval (Student's t); NULL for one observation.
-- high: upper end.
WITH
days AS (
    SELECT
        o.segmentation,
        o.segment,
        cast(o.event_time AS DATE) AS day,
        cast(count(*) FILTER (WHERE o.is_purchase) AS DOUBLE) AS count_orders,
        sum(o.amount) AS revenue
    FROM insights.orders_by_segment AS o
    CROSS JOIN params AS p
    WHERE o.event_time < p.observed_until
    GROUP BY o.segmentation, o.segment, cast(o.event_time AS DATE)
),

sold AS (
    SELECT 'orders' AS metric, segmentation, segment, day, count_orders AS amount FROM days
    UNION ALL
    SELECT 'revenue' AS metric, segmentation, segment, day, revenue AS amount FROM days
),

-- What the data hold in full: the first day may have begun before them.
observed AS (
    SELECT min(d.day) AS first_day, max(cast(p.observed_until AS DATE)) AS end_day
    FROM days AS d
    CROSS JOIN params AS p
),

weeks AS (
    SELECT s.metric, s.segmentation, s.segment, cast(date_trunc('week', s.day) AS DATE) AS week, sum(s.amount) AS amount
    FROM sold AS s
    CROSS JOIN observed AS o
    WHERE date_trunc('week', s.day) > o.first_day AND date_trunc('week', s.day) + INTERVAL '7 days' <= o.end_day
    GROUP BY s.metric, s.segmentation, s.segment, cast(date_trunc('week', s.day) AS DATE)
    HAVING sum(s.amount) > 0.0
),

weekdays AS (
    SELECT unnest(range(1, 8)) AS step
),

weekday_ratios AS (
    SELECT
        w.metric,
        w.segmentation,
        w.segment,
        'weekday' AS cycle,
        d.step,
        7.0 * coalesce(s.amount, 0.0) / w.amount AS ratio
    FROM weeks AS w
    CROSS JOIN weekdays AS d
    LEFT JOIN sold AS s
        ON s.metric = w.metric
        AND s.segmentation = w.segmentation
        AND s.segment = w.segment
        AND s.day = w.week + (d.step - 1)
),

-- Months are counted from the year 0, to be added to.
months AS (
    SELECT
        s.metric,
        s.segmentation,
        s.segment,
        cast(12 * date_part('year', s.day) + date_part('month', s.day) - 1 AS BIGINT) AS month,
        sum(s.amount) AS amount
    FROM sold AS s
    CROSS JOIN observed AS o
    WHERE date_trunc('month', s.day) + INTERVAL '1 month' <= o.end_day
        AND (date_trunc('month', s.day) >= o.first_day OR date_part('day', o.first_day) = 1)
    GROUP BY
        s.metric,
        s.segmentation,
        s.segment,
        cast(12 * date_part('year', s.day) + date_part('month', s.day) - 1 AS BIGINT)
),

spans AS (
    SELECT metric, segmentation, segment, min(month) AS first_month, max(month) AS last_month
    FROM months
    GROUP BY metric, segmentation, segment
),

steps AS (
    SELECT unnest(range(min(first_month), max(last_month) + 1)) AS month
    FROM spans
),

calendar AS (
    SELECT
        month,
        month % 12 + 1 AS step,
        date_part('day', make_date(cast(month / 12 AS INT), cast(month % 12 + 1 AS INT), 1) + INTERVAL '1 month' - INTERVAL '1 day')
            AS count_days
    FROM steps
),

daily AS (
    SELECT
        p.metric,
        p.segmentation,
        p.segment,
        c.month,
        c.step,
        coalesce(m.amount, 0.0) / c.count_days AS amount
    FROM spans AS p
    INNER JOIN calendar AS c ON c.month >= p.first_month AND c.month <= p.last_month
    LEFT JOIN months AS m
        ON m.metric = p.metric
        AND m.segmentation = p.segmentation
        AND m.segment = p.segment
        AND m.month = c.month
),

smoothed AS (
    SELECT
        metric,
        segmentation,
        segment,
        step,
        amount,
        count(*) OVER around AS count_around,
        (2.0 * sum(amount) OVER around - first_value(amount) OVER around - last_value(amount) OVER around) / 24.0 AS usual
    FROM daily
    WINDOW around AS (PARTITION BY metric, segmentation, segment ORDER BY month ROWS BETWEEN 6 PRECEDING AND 6 FOLLOWING)
),

ratios AS (
    SELECT metric, segmentation, segment, cycle, step, ratio FROM weekday_ratios
    UNION ALL
    SELECT metric, segmentation, segment, 'month' AS cycle, step, amount / usual AS ratio
    FROM smoothed
    WHERE count_around = 13 AND usual > 0.0
),

found AS (
    SELECT
        metric,
        segmentation,
        segment,
        cycle,
        step,
        count(*) AS count_observed,
        avg(ratio) AS seasonal_index,
        stddev(ratio) / sqrt(count(*)) AS standard_error
    FROM ratios
    GROUP BY metric, segmentation, segment, cycle, step
),

-- Student's t at 97.5 %, from five degrees of freedom on by its expansion, to within a hundredth.
bounded AS (
    SELECT
        *,
        standard_error * CASE count_observed
            WHEN 2 THEN 12.706
            WHEN 3 THEN 4.303
            WHEN 4 THEN 3.182
            WHEN 5 THEN 2.776
            ELSE 1.96 + 2.372 / (count_observed - 1.0) + 3.06 / power(count_observed - 1.0, 2)
        END AS half_width
    FROM found
)

SELECT
    metric,
    segmentation,
    segment,
    cycle,
    step,
    count_observed,
    seasonal_index,
    CASE WHEN count_observed > 1 THEN seasonal_index - half_width END AS low,
    CASE WHEN count_observed > 1 THEN seasonal_index + half_width END AS high
FROM bounded
