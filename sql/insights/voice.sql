-- Voice of the customer: NPS and CSAT by month and channel, in the newest version known of each answer. One row per month and
-- channel with answers to either.
-- owner: perennial
-- grain: month, channel
-- check: range(nps, -100, 100)
-- check: nps between nps_low and nps_high
-- check: csat between csat_low and csat_high
-- month: first instant (UTC) of the month of the answers.
-- channel: channel of the customer's newest purchase before the answer, unknown without one; all for all of them together.
-- count_nps: answers of kind nps from 0 to 10.
-- nps: 100 times the share of promoters (9 and 10) less that of detractors (0 to 6); NULL without answers.
-- nps_low: lower end of its 95 % interval (normal); NULL for one answer, which says nothing about spread.
-- nps_high: upper end.
-- count_csat: answers of kind csat from 1 to 5.
-- csat: share of them that are 4 or 5; NULL without answers.
-- csat_low: lower end of its 95 % interval (Wilson).
-- csat_high: upper end.
WITH
answers AS (
    SELECT feedback_id, customer_id, event_time, kind, score
    FROM core.feedback_versions
    WHERE superseded_at IS NULL AND kind IN ('nps', 'csat')
),

orders AS (
    SELECT order_id, customer_id, event_time, channel
    FROM core.order_versions
    WHERE superseded_at IS NULL AND status = 'completed'
),

bought AS (
    SELECT
        a.feedback_id,
        first_value(o.channel ORDER BY o.event_time DESC, o.order_id DESC) AS channel
    FROM answers AS a
    INNER JOIN orders AS o ON o.customer_id = a.customer_id AND o.event_time < a.event_time
    GROUP BY a.feedback_id
),

doubled AS (
    SELECT a.event_time, coalesce(b.channel, 'unknown') AS channel, a.kind, a.score
    FROM answers AS a
    LEFT JOIN bought AS b ON b.feedback_id = a.feedback_id
    UNION ALL
    SELECT event_time, 'all' AS channel, kind, score
    FROM answers
),

counted AS (
    SELECT
        date_trunc('month', event_time) AS month,
        channel,
        cast(count(*) FILTER (WHERE kind = 'nps' AND score BETWEEN 0 AND 10) AS DOUBLE) AS count_nps,
        cast(count(*) FILTER (WHERE kind = 'nps' AND score BETWEEN 9 AND 10) AS DOUBLE) AS count_promoters,
        -- A grade between two whole ones is no promoter's below 9 and no detractor's above 6.
        cast(count(*) FILTER (WHERE kind = 'nps' AND score BETWEEN 0 AND 6) AS DOUBLE) AS count_detractors,
        cast(count(*) FILTER (WHERE kind = 'csat' AND score BETWEEN 1 AND 5) AS DOUBLE) AS count_csat,
        cast(count(*) FILTER (WHERE kind = 'csat' AND score BETWEEN 4 AND 5) AS DOUBLE) AS count_satisfied
    FROM doubled
    GROUP BY date_trunc('month', event_time), channel
),

shares AS (
    SELECT
        month,
        channel,
        count_nps,
        count_csat,
        (count_promoters - count_detractors) / nullif(count_nps, 0.0) AS nps,
        -- Answers count 1, 0 or -1, so that the mean of their squares is the share of those that are not 0.
        (count_promoters + count_detractors) / nullif(count_nps, 0.0) AS mean_square,
        count_satisfied / nullif(count_csat, 0.0) AS csat,
        1.96 * 1.96 / nullif(count_csat, 0.0) AS z2
    FROM counted
    WHERE count_nps + count_csat > 0.0
),

intervals AS (
    SELECT
        *,
        CASE WHEN count_nps > 1.0 THEN 1.96 * sqrt(greatest(mean_square - nps * nps, 0.0) / (count_nps - 1.0)) END AS nps_half_width,
        (csat + z2 / 2.0) / (1.0 + z2) AS csat_centre,
        sqrt(z2 * (csat * (1.0 - csat) + z2 / 4.0)) / (1.0 + z2) AS csat_half_width
    FROM shares
)

-- Rounding may put an end a hair beyond what is possible, or beyond the share itself.
SELECT
    month,
    channel,
    cast(count_nps AS BIGINT) AS count_nps,
    100.0 * nps AS nps,
    CASE WHEN nps_half_width IS NOT NULL THEN 100.0 * greatest(nps - nps_half_width, -1.0) END AS nps_low,
    CASE WHEN nps_half_width IS NOT NULL THEN 100.0 * least(nps + nps_half_width, 1.0) END AS nps_high,
    cast(count_csat AS BIGINT) AS count_csat,
    csat,
    CASE WHEN csat IS NOT NULL THEN greatest(least(csat_centre - csat_half_width, csat), 0.0) END AS csat_low,
    CASE WHEN csat IS NOT NULL THEN least(greatest(csat_centre + csat_half_width, csat), 1.0) END AS csat_high
FROM intervals
