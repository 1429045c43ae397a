-- Segments: every shipped segmentation of the customers of a cut-off as one long table, so that all can be judged alike.
-- owner: perennial
-- grain: customer_id, as_of, segmentation
-- check: not_null(segment)
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row; only what was known before it decides.
-- segmentation: rfm, lifecycle, value_tier, a behaviour (frequent_browser, impulse, brand_loyal, price_sensitive or seasonal),
-- loyalty_tier where there is any membership, scenario where anybody has one, or age_band, gender, country or city.
-- segment: the segment, stage or tier, none for who is in no tier or no member, untiered for a member without a tier; yes or no
-- for a behaviour; the scenario of insights.tags, of several the first by name but gifts last, none without; else the band,
-- gender, country or city, unknown where it is not known.
WITH
scenarios AS (
    SELECT customer_id, as_of, coalesce(min(value) FILTER (WHERE value <> 'gifts'), 'gifts') AS scenario
    FROM insights.tags
    WHERE tag = 'scenario'
    GROUP BY customer_id, as_of
)

SELECT customer_id, as_of, 'rfm' AS segmentation, segment
FROM insights.rfm
UNION ALL
SELECT customer_id, as_of, 'lifecycle' AS segmentation, stage AS segment
FROM insights.lifecycle
UNION ALL
SELECT customer_id, as_of, 'value_tier' AS segmentation, tier AS segment
FROM insights.value_tiers
UNION ALL
SELECT customer_id, as_of, behaviour AS segmentation, CASE WHEN is_shown THEN 'yes' ELSE 'no' END AS segment
FROM insights.behaviours
UNION ALL
SELECT
    s.customer_id,
    s.as_of,
    'loyalty_tier' AS segmentation,
    CASE WHEN l.customer_id IS NULL THEN 'none' ELSE coalesce(l.tier, 'untiered') END AS segment
FROM spine AS s
INNER JOIN (SELECT DISTINCT as_of FROM insights.loyalty) AS m ON m.as_of = s.as_of
LEFT JOIN insights.loyalty AS l ON l.customer_id = s.customer_id AND l.as_of = s.as_of
UNION ALL
SELECT s.customer_id, s.as_of, 'scenario' AS segmentation, coalesce(t.scenario, 'none') AS segment
FROM spine AS s
INNER JOIN (SELECT DISTINCT as_of FROM scenarios) AS m ON m.as_of = s.as_of
LEFT JOIN scenarios AS t ON t.customer_id = s.customer_id AND t.as_of = s.as_of
UNION ALL
SELECT s.customer_id, s.as_of, a.attribute AS segmentation, coalesce(d.value, 'unknown') AS segment
FROM spine AS s
CROSS JOIN (SELECT DISTINCT attribute FROM insights.demographics) AS a
LEFT JOIN insights.demographics AS d ON d.customer_id = s.customer_id AND d.as_of = s.as_of AND d.attribute = a.attribute
