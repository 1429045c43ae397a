-- Cycles: how regularly each customer buys, anything at all and each product, for insights.repurchase_cycles and
-- insights.product_cycles. One row per customer, cut-off and kind of cycle with two purchase days or more.
-- The interval is that of the next gap if the logarithms of the gaps are normal: mean and deviation of three or more of them,
-- with Student's t for so few, so that it is wide where little is known.
-- owner: perennial
-- grain: customer_id, as_of, kind, product_id
-- check: mean_gap_days >= 1
-- check: days_from <= days_until
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- kind: any for purchases of any kind, product for those of one product.
-- product_id: that product, returns left out; NULL for any.
-- count_gaps: gaps between successive purchase days; orders of one day are one purchase.
-- mean_gap_days: mean of the gaps.
-- median_gap_days: median of the gaps.
-- sd_gap_days: standard deviation of the gaps; NULL for one.
-- last_on: newest purchase day.
-- wait_days: median of the gaps that are at least as long as the time since, which a customer who is still silent may be in; NULL
-- where none is.
-- days_from: lower end, in days from there, of an 80 % interval of the next purchase day, given only the gaps; NULL for fewer
-- than three.
-- days_until: upper end.
WITH
days AS (
    SELECT customer_id, as_of, 'any' AS kind, cast(NULL AS VARCHAR) AS product_id, ordered_on
    FROM features.purchase_days
    UNION ALL
    SELECT DISTINCT customer_id, as_of, 'product' AS kind, product_id, cast(event_time AS DATE) AS ordered_on
    FROM features.known_lines
    WHERE NOT is_return AND product_id IS NOT NULL
),

gaps AS (
    SELECT
        customer_id,
        as_of,
        kind,
        product_id,
        ordered_on,
        ordered_on - lag(ordered_on) OVER (PARTITION BY customer_id, as_of, kind, product_id ORDER BY ordered_on) AS gap_days
    FROM days
),

lasts AS (
    SELECT *, max(ordered_on) OVER (PARTITION BY customer_id, as_of, kind, product_id) AS last_on
    FROM gaps
),

measured AS (
    SELECT
        customer_id,
        as_of,
        kind,
        product_id,
        count(gap_days) AS count_gaps,
        avg(gap_days) AS mean_gap_days,
        median(cast(gap_days AS DOUBLE)) AS median_gap_days,
        stddev(gap_days) AS sd_gap_days,
        avg(ln(gap_days)) AS mean_log_gap,
        stddev(ln(gap_days)) AS sd_log_gap,
        max(ordered_on) AS last_on,
        median(cast(gap_days AS DOUBLE)) FILTER (WHERE gap_days >= cast(as_of AS DATE) - last_on) AS wait_days
    FROM lasts
    GROUP BY customer_id, as_of, kind, product_id
    HAVING count(gap_days) > 0
),

-- 1.2816 is the normal quantile of 0.9; the terms in 1 / df and 1 / df² (Cornish and Fisher) bring Student's t to some 2 % of
-- it with two degrees of freedom, nearer with more. A gap of a hundred years is never due.
bounded AS (
    SELECT
        *,
        CASE
            WHEN count_gaps >= 3 THEN
                (1.2816 + 0.8466 / (count_gaps - 1) + 0.5710 / power(count_gaps - 1, 2)) * sd_log_gap
                    * sqrt(1.0 + 1.0 / count_gaps)
        END AS half_width
    FROM measured
)

SELECT
    customer_id,
    as_of,
    kind,
    product_id,
    count_gaps,
    mean_gap_days,
    median_gap_days,
    sd_gap_days,
    last_on,
    wait_days,
    CASE WHEN half_width IS NOT NULL THEN cast(round(least(exp(mean_log_gap - half_width), 36500.0)) AS BIGINT) END AS days_from,
    CASE WHEN half_width IS NOT NULL THEN cast(round(least(exp(mean_log_gap + half_width), 36500.0)) AS BIGINT) END AS days_until
FROM bounded
