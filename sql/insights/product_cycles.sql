-- Product cycles: how often a customer buys a product bought on three days or more, and when it is due again.
-- Measures and interval are those of insights.cycles.
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
SELECT
    customer_id,
    as_of,
    product_id,
    count_gaps,
    mean_gap_days,
    median_gap_days,
    sd_gap_days,
    last_on,
    last_on + cast(round(median_gap_days) AS BIGINT) AS due_on,
    last_on + days_from AS due_from,
    last_on + days_until AS due_until,
    greatest(cast(as_of AS DATE) - last_on - cast(round(median_gap_days) AS BIGINT), 0) AS days_overdue,
    cast(as_of AS DATE) - last_on > days_until AS is_late
FROM insights.cycles
WHERE kind = 'product' AND count_gaps >= 2
