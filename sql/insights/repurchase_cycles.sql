-- Repurchase cycles: the rhythm of each customer who bought on two days or more, and when the next purchase is due.
-- The interval is that of the next gap if the logarithms of a customer's gaps are normal: mean and deviation of three or
-- more of them, with Student's t for so few, so that it is wide where little is known.
-- owner: perennial
-- grain: customer_id, as_of
-- check: mean_gap_days >= 1
-- check: due_from <= due_until
-- check: days_overdue >= 0
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- count_gaps: gaps between successive purchase days; orders of one day are one purchase.
-- mean_gap_days: mean of the gaps.
-- median_gap_days: median of the gaps.
-- sd_gap_days: standard deviation of the gaps; NULL for one.
-- last_on: newest purchase day.
-- due_on: that day and the median gap, rounded to whole days.
-- expected_on: when the customer is expected, silent for so long: the newest purchase day and the median of the gaps that are
-- at least as long as the time since; the day of the cut-off where none is.
-- due_from: lower end of an 80 % interval of the next purchase day, given only the gaps; NULL for fewer than three.
-- due_until: upper end.
-- days_overdue: days from due_on to the day of the cut-off; 0 where it is not due before.
-- is_late: whether the cut-off lies beyond the interval; NULL without one.
WITH
gaps AS (
    SELECT
        customer_id,
        as_of,
        ordered_on,
        ordered_on - lag(ordered_on) OVER (PARTITION BY customer_id, as_of ORDER BY ordered_on) AS gap_days
    FROM features.purchase_days
),

measured AS (
    SELECT
        customer_id,
        as_of,
        count(gap_days) AS count_gaps,
        avg(gap_days) AS mean_gap_days,
        median(cast(gap_days AS DOUBLE)) AS median_gap_days,
        stddev(gap_days) AS sd_gap_days,
        avg(ln(gap_days)) AS mean_log_gap,
        stddev(ln(gap_days)) AS sd_log_gap,
        max(ordered_on) AS last_on
    FROM gaps
    GROUP BY customer_id, as_of
    HAVING count(gap_days) > 0
),

-- Gaps that a customer who is still silent may be in.
waits AS (
    SELECT g.customer_id, g.as_of, median(cast(g.gap_days AS DOUBLE)) AS wait_days
    FROM gaps AS g
    INNER JOIN measured AS m ON m.customer_id = g.customer_id AND m.as_of = g.as_of
    WHERE g.gap_days >= cast(m.as_of AS DATE) - m.last_on
    GROUP BY g.customer_id, g.as_of
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
        cast(round(least(exp(mean_log_gap - half_width), 36500.0)) AS BIGINT) AS from_days,
        cast(round(least(exp(mean_log_gap + half_width), 36500.0)) AS BIGINT) AS until_days
    FROM bounded
)

SELECT
    m.customer_id,
    m.as_of,
    m.count_gaps,
    m.mean_gap_days,
    m.median_gap_days,
    m.sd_gap_days,
    m.last_on,
    m.last_on + cast(round(m.median_gap_days) AS BIGINT) AS due_on,
    coalesce(m.last_on + cast(round(w.wait_days) AS BIGINT), cast(m.as_of AS DATE)) AS expected_on,
    m.last_on + i.from_days AS due_from,
    m.last_on + i.until_days AS due_until,
    greatest(cast(m.as_of AS DATE) - m.last_on - cast(round(m.median_gap_days) AS BIGINT), 0) AS days_overdue,
    cast(m.as_of AS DATE) - m.last_on > i.until_days AS is_late
FROM measured AS m
LEFT JOIN waits AS w ON w.customer_id = m.customer_id AND w.as_of = m.as_of
LEFT JOIN intervals AS i ON i.customer_id = m.customer_id AND i.as_of = m.as_of
