-- Customer score: one number from 0 to 100 of what a customer is worth keeping, beside the parts that it is made of and what
-- each counts. Parts lie between 0 and 1. The weights are the first step below: a project that weighs otherwise overrides this
-- file and changes that line alone. A part that is not known of a customer (never scored, never asked) says nothing, and the
-- weights of the others are scaled up.
-- owner: perennial
-- grain: customer_id, as_of
-- check: range(score, 0, 100)
-- check: abs(relationship_weight + value_weight + potential_weight + retention_weight + satisfaction_weight - 1) < 0.000001
-- customer_id: customer of the spine who has bought before the cut-off.
-- as_of: cut-off of the spine row; value and potential compare the customers of one cut-off.
-- relationship: strength of insights.relationship over 100.
-- value: share of the other customers (0 for a lone one) with less net value in the last 365 days, as in insights.value_tiers.
-- potential: share of the other scored customers of whom less is expected, by the newest scores in scores.clv; NULL where not scored.
-- retention: 1 less the probability of leaving, by the newest scores in scores.churn; NULL where not scored.
-- satisfaction: newest answer of kind nps of the last 365 days, over 10; NULL without one.
-- relationship_weight: weight of relationship for this customer; the five weights add up to 1.
-- value_weight: weight of value.
-- potential_weight: weight of potential; 0 where it is not known.
-- retention_weight: weight of retention; 0 where it is not known.
-- satisfaction_weight: weight of satisfaction; 0 where it is not known.
-- score: 100 times the weighted sum of the parts that are known.
WITH
weights AS (
    SELECT *
    FROM (VALUES (0.25, 0.25, 0.20, 0.20, 0.10)) AS listed (relationship, value, potential, retention, satisfaction)
),

answers AS (
    SELECT
        s.customer_id,
        s.as_of,
        first_value(f.score ORDER BY f.event_time DESC, f.feedback_id DESC) / 10.0 AS satisfaction
    FROM spine AS s
    INNER JOIN core.feedback_versions AS f
        ON f.customer_id = s.customer_id
        AND f.event_time < s.as_of
        AND f.event_time >= s.as_of - INTERVAL '365 days'
        AND f.known_time < s.as_of
        AND (f.superseded_at IS NULL OR f.superseded_at >= s.as_of)
    WHERE f.kind = 'nps' AND f.score BETWEEN 0 AND 10
    GROUP BY s.customer_id, s.as_of
),

potentials AS (
    SELECT customer_id, as_of, percent_rank() OVER (PARTITION BY as_of ORDER BY expected_value) AS potential
    FROM insights.newest_scores
    WHERE expected_value IS NOT NULL
),

parts AS (
    SELECT
        r.customer_id,
        r.as_of,
        r.strength / 100.0 AS relationship,
        percent_rank() OVER (PARTITION BY r.as_of ORDER BY v.net_amount_365d) AS value,
        p.potential,
        1.0 - n.p_churn AS retention,
        a.satisfaction
    FROM insights.relationship AS r
    INNER JOIN insights.value_tiers AS v ON v.customer_id = r.customer_id AND v.as_of = r.as_of
    INNER JOIN insights.newest_scores AS n ON n.customer_id = r.customer_id AND n.as_of = r.as_of
    LEFT JOIN potentials AS p ON p.customer_id = r.customer_id AND p.as_of = r.as_of
    LEFT JOIN answers AS a ON a.customer_id = r.customer_id AND a.as_of = r.as_of
),

weighed AS (
    SELECT
        p.*,
        w.relationship AS relationship_weight,
        w.value AS value_weight,
        CASE WHEN p.potential IS NOT NULL THEN w.potential ELSE 0.0 END AS potential_weight,
        CASE WHEN p.retention IS NOT NULL THEN w.retention ELSE 0.0 END AS retention_weight,
        CASE WHEN p.satisfaction IS NOT NULL THEN w.satisfaction ELSE 0.0 END AS satisfaction_weight
    FROM parts AS p
    CROSS JOIN weights AS w
),

totals AS (
    SELECT
        *,
        relationship_weight + value_weight + potential_weight + retention_weight + satisfaction_weight AS total_weight
    FROM weighed
)

SELECT
    customer_id,
    as_of,
    relationship,
    value,
    potential,
    retention,
    satisfaction,
    relationship_weight / total_weight AS relationship_weight,
    value_weight / total_weight AS value_weight,
    potential_weight / total_weight AS potential_weight,
    retention_weight / total_weight AS retention_weight,
    satisfaction_weight / total_weight AS satisfaction_weight,
    100.0 * least(
        (relationship * relationship_weight + value * value_weight + coalesce(potential, 0.0) * potential_weight
            + coalesce(retention, 0.0) * retention_weight + coalesce(satisfaction, 0.0) * satisfaction_weight) / total_weight,
        1.0
    ) AS score
FROM totals
