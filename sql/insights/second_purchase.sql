-- Second purchase: how many customers of a month of first purchase came back, and how soon. One row per cohort
-- and segment of insights.first_segments.
-- A customer who has not come back is not one who never will: the rate within 90 days is among those who were observed for
-- 90 days, and a quantile of days is among the whole cohort, the others counted as later than everything observed. It is
-- given only where it lies within the days for which every customer of the cohort was observed, so that nobody is censored
-- before it; else it is NULL. Orders of one day are one purchase.
-- owner: perennial
-- grain: cohort_month, segmentation, segment
-- check: count_repeaters <= count_customers
-- check: lower_quartile_days <= median_days
-- check: median_days <= upper_quartile_days
-- cohort_month: first instant (UTC) of the month of the first purchase.
-- segmentation: all, channel (of the first purchase), country or gender.
-- segment: segment of it, unknown where there is none; all for all of them together.
-- count_customers: size of the cohort.
-- count_repeaters: those who have purchased on another day since.
-- repurchase_rate: repeaters over size, whatever time they had.
-- count_observed_90d: customers whose 90 days after the first purchase were all observed.
-- count_censored_90d: those of the others who have not come back yet.
-- repurchase_rate_90d: share of the observed who came back within 90 days; NULL for none observed.
-- observed_days: days for which every customer of the cohort was observed.
-- lower_quartile_days: days from first to second purchase within which a quarter of the cohort came back.
-- median_days: days within which half did.
-- upper_quartile_days: days within which three quarters did.
WITH
days AS (
    SELECT DISTINCT customer_id, cast(event_time AS DATE) AS ordered_on
    FROM core.order_versions
    WHERE superseded_at IS NULL AND status = 'completed' AND customer_id IS NOT NULL
),

numbered AS (
    SELECT customer_id, ordered_on, row_number() OVER (PARTITION BY customer_id ORDER BY ordered_on) AS purchase
    FROM days
),

customers AS (
    SELECT
        n.customer_id,
        max(n.ordered_on) FILTER (WHERE n.purchase = 2) - max(n.ordered_on) FILTER (WHERE n.purchase = 1) AS days_to_second,
        -- The last day observed counts whole.
        cast(max(p.observed_until) - INTERVAL '1 microsecond' AS DATE) - max(n.ordered_on) FILTER (WHERE n.purchase = 1) AS days_observed
    FROM numbered AS n
    CROSS JOIN params AS p
    WHERE n.purchase <= 2
    GROUP BY n.customer_id
),

placed AS (
    SELECT
        f.segmentation,
        f.segment,
        date_trunc('month', f.first_at) AS cohort_month,
        c.days_to_second,
        c.days_observed
    FROM customers AS c
    INNER JOIN insights.first_segments AS f ON f.customer_id = c.customer_id
),

ranked AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY cohort_month, segmentation, segment) AS count_customers,
        row_number() OVER (PARTITION BY cohort_month, segmentation, segment ORDER BY days_to_second NULLS LAST) AS rank
    FROM placed
),

counted AS (
    SELECT
        cohort_month,
        segmentation,
        segment,
        count(*) AS count_customers,
        count(days_to_second) AS count_repeaters,
        count(*) FILTER (WHERE days_observed >= 90) AS count_observed_90d,
        count(*) FILTER (WHERE days_observed < 90 AND days_to_second IS NULL) AS count_censored_90d,
        count(*) FILTER (WHERE days_observed >= 90 AND days_to_second <= 90) AS count_repeaters_90d,
        min(days_observed) AS observed_days,
        min(days_to_second) FILTER (WHERE 4 * rank >= count_customers) AS lower_quartile_days,
        min(days_to_second) FILTER (WHERE 2 * rank >= count_customers) AS median_days,
        min(days_to_second) FILTER (WHERE 4 * rank >= 3 * count_customers) AS upper_quartile_days
    FROM ranked
    GROUP BY cohort_month, segmentation, segment
)

SELECT
    cohort_month,
    segmentation,
    segment,
    count_customers,
    count_repeaters,
    count_repeaters / cast(count_customers AS DOUBLE) AS repurchase_rate,
    count_observed_90d,
    count_censored_90d,
    count_repeaters_90d / nullif(cast(count_observed_90d AS DOUBLE), 0.0) AS repurchase_rate_90d,
    observed_days,
    CASE WHEN lower_quartile_days <= observed_days THEN lower_quartile_days END AS lower_quartile_days,
    CASE WHEN median_days <= observed_days THEN median_days END AS median_days,
    CASE WHEN upper_quartile_days <= observed_days THEN upper_quartile_days END AS upper_quartile_days
FROM counted
