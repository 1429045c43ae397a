-- Segment validation: whether a segmentation tells apart who leaves and who spends in the horizon after its cut-off, and
-- whether customers stay in their segments. One row per cut-off, segmentation and segment. Segments are those of
-- insights.segments, the outcomes those of labels.churn and labels.value, so that nothing after the cut-off made a segment.
-- owner: perennial
-- grain: as_of, segmentation, segment
-- check: range(churn_rate, 0, 1)
-- check: range(eta_squared, 0, 1)
-- check: range(cramers_v, 0, 1)
-- check: range(stay_share, 0, 1)
-- as_of: cut-off of the spine.
-- segmentation: rfm, lifecycle, value_tier, loyalty_tier, scenario, a behaviour or an attribute such as country.
-- segment: segment of it.
-- count_customers: customers of the segment.
-- customer_share: their share of the customers of the segmentation.
-- churn_rate: share of them who bought nothing in the horizon; NULL, like all outcomes, for a horizon that is not complete.
-- churn_lift: that rate over the one of all; NULL where nobody left.
-- mean_value: mean net value of the horizon.
-- value_lift: that mean over the one of all; NULL where all brought 0 or less.
-- cramers_v: of the whole segmentation and churn: 0 where it says nothing, 1 where it says all; NULL, like chi_squared, for one
-- segment, or where all or none left.
-- chi_squared: Pearson's statistic of that table, without a correction, with as many degrees of freedom as segments less 1.
-- eta_squared: share of the variance of value between the segments of the segmentation; NULL for one segment or no variance.
-- f_statistic: one-way analysis of variance of the same, with segments less 1 and customers less segments degrees of freedom;
-- NULL also where no variance is left within segments.
-- stay_share: of the segment's customers who are also in the spine of the next cut-off, the share in the same segment there;
-- NULL for none, as at the newest cut-off.
WITH
cut_offs AS (
    SELECT as_of, lead(as_of) OVER (ORDER BY as_of) AS next_as_of
    FROM (SELECT DISTINCT as_of FROM spine) AS s
),

followed AS (
    SELECT
        customer_id,
        as_of,
        segmentation,
        segment,
        lead(as_of) OVER (PARTITION BY customer_id, segmentation ORDER BY as_of) AS found_as_of,
        lead(segment) OVER (PARTITION BY customer_id, segmentation ORDER BY as_of) AS found_segment
    FROM insights.segments
),

outcomes AS (
    SELECT c.customer_id, c.as_of, CASE WHEN c.churned THEN 1.0 WHEN NOT c.churned THEN 0.0 END AS churned, v.value
    FROM labels.churn AS c
    INNER JOIN labels.value AS v ON v.customer_id = c.customer_id AND v.as_of = c.as_of
),

measured AS (
    SELECT
        f.as_of,
        f.segmentation,
        f.segment,
        count(*) AS count_customers,
        avg(o.churned) AS churn_rate,
        avg(o.value) AS mean_value,
        var_pop(o.value) AS value_variance,
        count(*) FILTER (WHERE f.found_as_of = c.next_as_of) AS count_followed,
        count(*) FILTER (WHERE f.found_as_of = c.next_as_of AND f.found_segment = f.segment) AS count_stayed
    FROM followed AS f
    INNER JOIN cut_offs AS c ON c.as_of = f.as_of
    LEFT JOIN outcomes AS o ON o.customer_id = f.customer_id AND o.as_of = f.as_of
    GROUP BY f.as_of, f.segmentation, f.segment
),

compared AS (
    SELECT
        *,
        cast(sum(count_customers) OVER (PARTITION BY as_of, segmentation) AS DOUBLE) AS count_all,
        count(*) OVER (PARTITION BY as_of, segmentation) AS count_segments,
        sum(count_customers * churn_rate) OVER (PARTITION BY as_of, segmentation)
            / sum(count_customers) OVER (PARTITION BY as_of, segmentation) AS churn_rate_all,
        sum(count_customers * mean_value) OVER (PARTITION BY as_of, segmentation)
            / sum(count_customers) OVER (PARTITION BY as_of, segmentation) AS mean_value_all
    FROM measured
),

spread AS (
    SELECT
        *,
        sum(count_customers * power(churn_rate - churn_rate_all, 2)) OVER (PARTITION BY as_of, segmentation)
            / CASE WHEN churn_rate_all > 0.0 AND churn_rate_all < 1.0 AND count_segments > 1
                THEN churn_rate_all * (1.0 - churn_rate_all) END AS chi_squared,
        sum(count_customers * power(mean_value - mean_value_all, 2)) OVER (PARTITION BY as_of, segmentation) AS between_squares,
        sum(count_customers * value_variance) OVER (PARTITION BY as_of, segmentation) AS within_squares
    FROM compared
)

-- Churn has two outcomes, so that Cramér's V divides by 1; rounding may put it a hair beyond.
SELECT
    as_of,
    segmentation,
    segment,
    count_customers,
    count_customers / count_all AS customer_share,
    churn_rate,
    churn_rate / nullif(churn_rate_all, 0.0) AS churn_lift,
    mean_value,
    mean_value / CASE WHEN mean_value_all > 0.0 THEN mean_value_all END AS value_lift,
    CASE WHEN chi_squared IS NOT NULL THEN least(sqrt(chi_squared / count_all), 1.0) END AS cramers_v,
    chi_squared,
    between_squares / CASE WHEN count_segments > 1 THEN nullif(between_squares + within_squares, 0.0) END AS eta_squared,
    between_squares / CASE WHEN count_segments > 1 THEN count_segments - 1.0 END
        / (nullif(within_squares, 0.0) / nullif(count_all - count_segments, 0.0)) AS f_statistic,
    count_stayed / nullif(cast(count_followed AS DOUBLE), 0.0) AS stay_share
FROM spread
