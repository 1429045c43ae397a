-- Cohorts: how many customers of a month of first purchase are still buying, on any channel, month by month. One row per
-- cohort, segment of insights.first_segments and month since.
-- owner: perennial
-- grain: cohort_month, segmentation, segment, months_since
-- check: count_active <= count_customers
-- check: retention between retention_low and retention_high
-- cohort_month: first instant (UTC) of the month of the first purchase.
-- segmentation: all, channel (of the first purchase), country or gender.
-- segment: segment of it, unknown where there is none; all for all of them together.
-- months_since: 0 for that month, 1 for the next, up to the month in which the data end.
-- is_complete: whether that month was over when the data end; all below but the size is NULL where it was not.
-- count_customers: size of the cohort, with those who join until the data end.
-- count_active: those who purchased in the month.
-- retention: active over size.
-- retention_low: lower end of its 95 % interval (Wilson).
-- retention_high: upper end.
-- revenue_per_customer: value of the cohort's purchases of the month less what came back in it, over the size.
WITH
orders AS (
    SELECT customer_id, event_time, coalesce(amount, 0.0) AS amount, status = 'completed' AS is_purchase
    FROM core.order_versions
    WHERE superseded_at IS NULL AND NOT is_void AND customer_id IS NOT NULL
),

firsts AS (
    SELECT customer_id, segmentation, segment, date_trunc('month', first_at) AS cohort_month
    FROM insights.first_segments
),

sizes AS (
    SELECT cohort_month, segmentation, segment, count(*) AS count_customers
    FROM firsts
    GROUP BY cohort_month, segmentation, segment
),

-- Of the months from the cohort's on, the complete ones are those before the month in which the observed time ends; where
-- it ends within that month, some of it was seen.
ends AS (
    SELECT
        s.cohort_month,
        s.segmentation,
        s.segment,
        s.count_customers,
        cast(12 * (date_part('year', p.observed_until) - date_part('year', s.cohort_month))
            + date_part('month', p.observed_until) - date_part('month', s.cohort_month) AS BIGINT) AS complete_months,
        CASE WHEN p.observed_until > date_trunc('month', p.observed_until) THEN 1 ELSE 0 END AS begun_months
    FROM sizes AS s
    CROSS JOIN params AS p
),

months AS (
    SELECT
        cohort_month,
        segmentation,
        segment,
        count_customers,
        complete_months,
        unnest(range(0, complete_months + begun_months)) AS months_since
    FROM ends
),

-- What came back in a month before that of the first purchase belongs to no month.
spent AS (
    SELECT
        f.cohort_month,
        f.segmentation,
        f.segment,
        cast(12 * (date_part('year', o.event_time) - date_part('year', f.cohort_month))
            + date_part('month', o.event_time) - date_part('month', f.cohort_month) AS BIGINT) AS months_since,
        count(DISTINCT CASE WHEN o.is_purchase THEN o.customer_id END) AS count_active,
        sum(o.amount) AS revenue
    FROM orders AS o
    INNER JOIN firsts AS f ON f.customer_id = o.customer_id
    GROUP BY 1, 2, 3, 4
),

joined AS (
    SELECT
        m.cohort_month,
        m.segmentation,
        m.segment,
        m.months_since,
        m.months_since < m.complete_months AS is_complete,
        m.count_customers,
        coalesce(s.count_active, 0) AS count_active,
        coalesce(s.revenue, 0.0) AS revenue,
        coalesce(s.count_active, 0) / cast(m.count_customers AS DOUBLE) AS retention,
        1.96 * 1.96 / m.count_customers AS z2_per_customer
    FROM months AS m
    LEFT JOIN spent AS s
        ON s.cohort_month = m.cohort_month
        AND s.segmentation = m.segmentation
        AND s.segment = m.segment
        AND s.months_since = m.months_since
),

intervals AS (
    SELECT
        *,
        (retention + z2_per_customer / 2.0) / (1.0 + z2_per_customer) AS centre,
        sqrt(z2_per_customer * (retention * (1.0 - retention) + z2_per_customer / 4.0)) / (1.0 + z2_per_customer) AS half_width
    FROM joined
)

-- Rounding may put an end a hair beyond what is possible, or beyond the share itself.
SELECT
    cohort_month,
    segmentation,
    segment,
    months_since,
    is_complete,
    count_customers,
    CASE WHEN is_complete THEN count_active END AS count_active,
    CASE WHEN is_complete THEN retention END AS retention,
    CASE WHEN is_complete THEN greatest(least(centre - half_width, retention), 0.0) END AS retention_low,
    CASE WHEN is_complete THEN least(greatest(centre + half_width, retention), 1.0) END AS retention_high,
    CASE WHEN is_complete THEN revenue / count_customers END AS revenue_per_customer
FROM intervals
