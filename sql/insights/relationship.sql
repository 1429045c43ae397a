-- Relationship strength: one number from 0 to 100 of how close a customer is, beside the parts that it is made of.
-- Each part is the share of the customers of the cut-off who are worse, from 0 to 1, so that no unit or outlier rules. The
-- weights are the first step below: a project that weighs otherwise overrides this file and changes that line alone.
-- Where no customer of a cut-off has any event, engagement says nothing and the other weights are scaled up.
-- owner: perennial
-- grain: customer_id, as_of
-- check: range(strength, 0, 100)
-- customer_id: customer of the spine who has bought before the cut-off.
-- as_of: cut-off of the spine row; parts compare the customers of one cut-off.
-- recency: share of the customers whose newest purchase is longer ago.
-- frequency: share with fewer purchases in the last 365 days.
-- value: share with less net value ever.
-- tenure: share with a later first purchase.
-- engagement: share with fewer events in the last 90 days.
-- recency_weight: weight of recency; the five weights add up to 1.
-- frequency_weight: weight of frequency.
-- value_weight: weight of value.
-- tenure_weight: weight of tenure.
-- engagement_weight: weight of engagement; 0 where no customer of the cut-off has any event.
-- strength: 100 times the weighted sum of the parts.
WITH
weights AS (
    SELECT *
    FROM (VALUES (0.30, 0.25, 0.20, 0.10, 0.15)) AS listed (recency, frequency, value, tenure, engagement)
),

measures AS (
    SELECT
        r.customer_id,
        r.as_of,
        r.days_since_order,
        t.count_orders_365d,
        -- Rounded, so that equal customers are equal in whatever order their amounts were added.
        round(v.net_amount, 6) AS net_amount,
        a.days_since_first_order,
        e.count_events_90d,
        max(e.count_events) OVER (PARTITION BY r.as_of) > 0 AS is_engagement_known
    FROM features.recency AS r
    INNER JOIN features.trend AS t ON t.customer_id = r.customer_id AND t.as_of = r.as_of
    INNER JOIN features.value AS v ON v.customer_id = r.customer_id AND v.as_of = r.as_of
    INNER JOIN features.tenure AS a ON a.customer_id = r.customer_id AND a.as_of = r.as_of
    INNER JOIN features.engagement AS e ON e.customer_id = r.customer_id AND e.as_of = r.as_of
    WHERE r.last_order_at IS NOT NULL
),

parts AS (
    SELECT
        customer_id,
        as_of,
        is_engagement_known,
        percent_rank() OVER (PARTITION BY as_of ORDER BY days_since_order DESC) AS recency,
        percent_rank() OVER (PARTITION BY as_of ORDER BY count_orders_365d) AS frequency,
        percent_rank() OVER (PARTITION BY as_of ORDER BY net_amount) AS value,
        percent_rank() OVER (PARTITION BY as_of ORDER BY days_since_first_order) AS tenure,
        percent_rank() OVER (PARTITION BY as_of ORDER BY count_events_90d) AS engagement
    FROM measures
),

totals AS (
    SELECT
        p.*,
        w.recency AS recency_weight,
        w.frequency AS frequency_weight,
        w.value AS value_weight,
        w.tenure AS tenure_weight,
        CASE WHEN p.is_engagement_known THEN w.engagement ELSE 0.0 END AS engagement_weight,
        w.recency + w.frequency + w.value + w.tenure
            + CASE WHEN p.is_engagement_known THEN w.engagement ELSE 0.0 END AS total_weight
    FROM parts AS p
    CROSS JOIN weights AS w
)

SELECT
    customer_id,
    as_of,
    recency,
    frequency,
    value,
    tenure,
    engagement,
    recency_weight / total_weight AS recency_weight,
    frequency_weight / total_weight AS frequency_weight,
    value_weight / total_weight AS value_weight,
    tenure_weight / total_weight AS tenure_weight,
    engagement_weight / total_weight AS engagement_weight,
    100.0 * least(
        (recency * recency_weight + frequency * frequency_weight + value * value_weight + tenure * tenure_weight
            + engagement * engagement_weight) / total_weight,
        1.0
    ) AS strength
FROM totals
