-- Rhythm: how regularly a customer buys, and when the next purchase is due. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: mean_gap_days > 0
-- check: regularity > 0 and regularity <= 1
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- mean_gap_days: mean days between successive purchase days; NULL for fewer than two such days.
-- sd_gap_days: standard deviation of those gaps; NULL for fewer than two gaps.
-- longest_gap_days: longest of those gaps.
-- last_gap_days: gap before the newest purchase day.
-- regularity: 1 / (1 + sd_gap_days / mean_gap_days), 1 for perfectly even gaps; NULL for fewer than two gaps.
-- days_to_next_due: days from the cut-off until one mean gap after the newest purchase; negative when overdue.
-- overdue_ratio: days since the newest purchase over the mean gap; above 1 when overdue.
WITH
gaps AS (
    SELECT
        customer_id,
        as_of,
        ordered_on,
        last_order_at,
        ordered_on - lag(ordered_on) OVER (PARTITION BY customer_id, as_of ORDER BY ordered_on) AS gap_days
    FROM features.purchase_days
),

measured AS (
    SELECT
        customer_id,
        as_of,
        avg(gap_days) AS mean_gap_days,
        stddev(gap_days) AS sd_gap_days,
        cast(max(gap_days) AS DOUBLE) AS longest_gap_days,
        cast(first_value(gap_days ORDER BY ordered_on DESC) AS DOUBLE) AS last_gap_days,
        max(last_order_at) AS last_order_at
    FROM gaps
    GROUP BY customer_id, as_of
),

dated AS (
    SELECT *, date_part('epoch', as_of - last_order_at) / 86400.0 AS days_since_order
    FROM measured
)

SELECT
    s.customer_id,
    s.as_of,
    g.mean_gap_days,
    g.sd_gap_days,
    g.longest_gap_days,
    g.last_gap_days,
    1.0 / (1.0 + g.sd_gap_days / g.mean_gap_days) AS regularity,
    g.mean_gap_days - g.days_since_order AS days_to_next_due,
    g.days_since_order / g.mean_gap_days AS overdue_ratio
FROM spine AS s
LEFT JOIN dated AS g ON g.customer_id = s.customer_id AND g.as_of = s.as_of
