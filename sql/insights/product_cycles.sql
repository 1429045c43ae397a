-- Product cycles: how often a customer buys a product bought on three days or more, and when it is due again.
-- The interval is as in insights.repurchase_cycles: three or more gaps whose logarithms are taken for normal.
-- owner: perennial
-- grain: customer_id, as_of, product_id
-- check: count_gaps >= 2
-- check: mean_gap_days >= 1
-- check: due_from <= due_until
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- product_id: product bought, returns left out.
-- count_gaps: gaps between successive days on which it was bought.
-- mean_gap_days: mean of the gaps.
-- median_gap_days: median of the gaps.
-- sd_gap_days: standard deviation of the gaps.
-- last_on: newest day on which it was bought.
-- due_on: that day and the median gap, rounded to whole days.
-- due_from: lower end of an 80 % interval of the next day, given only the gaps; NULL for fewer than three.
-- due_until: upper end.
-- days_overdue: days from due_on to the day of the cut-off; 0 where it is not due before.
-- is_late: whether the cut-off lies beyond the interval; NULL without one.
WITH
days AS (
    SELECT DISTINCT customer_id, as_of, product_id, cast(event_time AS DATE) AS ordered_on
    FROM features.known_lines
    WHERE NOT is_return AND product_id IS NOT NULL
),

gaps AS (
    SELECT
        customer_id,
        as_of,
        product_id,
        ordered_on,
        ordered_on - lag(ordered_on) OVER (PARTITION BY customer_id, as_of, product_id ORDER BY ordered_on) AS gap_days
    FROM days
),

measured AS (
    SELECT
        customer_id,
        as_of,
        product_id,
        count(gap_days) AS count_gaps,
        avg(gap_days) AS mean_gap_days,
        median(cast(gap_days AS DOUBLE)) AS median_gap_days,
        stddev(gap_days) AS sd_gap_days,
        avg(ln(gap_days)) AS mean_log_gap,
        stddev(ln(gap_days)) AS sd_log_gap,
        max(ordered_on) AS last_on
    FROM gaps
    GROUP BY customer_id, as_of, product_id
    HAVING count(gap_days) >= 2
),

-- 1.2816 is the normal quantile of 0.9; the terms in 1 / df and 1 / df² (Cornish and Fisher) bring Student's t to some 2 % of
-- it with two degrees of freedom, nearer with more. A gap of a hundred years is never due.
bounded AS (
    SELECT
        *,
        (1.2816 + 0.8466 / (count_gaps - 1) + 0.5710 / power(count_gaps - 1, 2)) * sd_log_gap
            * sqrt(1.0 + 1.0 / count_gaps) AS half_width
    FROM measured
    WHERE count_gaps >= 3
),

intervals AS (
    SELECT
        customer_id,
        as_of,
        product_id,
        cast(round(least(exp(mean_log_gap - half_width), 36500.0)) AS BIGINT) AS from_days,
        cast(round(least(exp(mean_log_gap + half_width), 36500.0)) AS BIGINT) AS until_days
    FROM bounded
)

SELECT
    m.customer_id,
    m.as_of,
    m.product_id,
    m.count_gaps,
    m.mean_gap_days,
    m.median_gap_days,
    m.sd_gap_days,
    m.last_on,
    m.last_on + cast(round(m.median_gap_days) AS BIGINT) AS due_on,
    m.last_on + i.from_days AS due_from,
    m.last_on + i.until_days AS due_until,
    greatest(cast(m.as_of AS DATE) - m.last_on - cast(round(m.median_gap_days) AS BIGINT), 0) AS days_overdue,
    cast(m.as_of AS DATE) - m.last_on > i.until_days AS is_late
FROM measured AS m
LEFT JOIN intervals AS i ON i.customer_id = m.customer_id AND i.as_of = m.as_of AND i.product_id = m.product_id
