-- Repurchase cycles: the rhythm of each customer who bought on two days or more, and when the next purchase is due.
-- Measures and interval are those of insights.cycles.
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
SELECT
    customer_id,
    as_of,
    count_gaps,
    mean_gap_days,
    median_gap_days,
    sd_gap_days,
    last_on,
    last_on + cast(round(median_gap_days) AS BIGINT) AS due_on,
    coalesce(last_on + cast(round(wait_days) AS BIGINT), cast(as_of AS DATE)) AS expected_on,
    last_on + days_from AS due_from,
    last_on + days_until AS due_until,
    greatest(cast(as_of AS DATE) - last_on - cast(round(median_gap_days) AS BIGINT), 0) AS days_overdue,
    cast(as_of AS DATE) - last_on > days_until AS is_late
FROM insights.cycles
WHERE kind = 'any'
