-- Segments: every shipped segmentation of the customers of a cut-off as one long table, so that all can be judged alike.
-- owner: perennial
-- grain: customer_id, as_of, segmentation
-- check: not_null(segment)
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row; only what was known before it decides.
-- segmentation: rfm, lifecycle, value_tier, or a behaviour: frequent_browser, impulse, brand_loyal, price_sensitive or seasonal.
-- segment: the segment, stage or tier; yes or no for a behaviour.
WITH
behaviour_names AS (
    SELECT segmentation
    FROM (VALUES ('frequent_browser'), ('impulse'), ('brand_loyal'), ('price_sensitive'), ('seasonal')) AS listed (segmentation)
),

behaviours AS (
    SELECT
        b.customer_id,
        b.as_of,
        n.segmentation,
        CASE n.segmentation
            WHEN 'frequent_browser' THEN b.is_frequent_browser
            WHEN 'impulse' THEN b.is_impulse
            WHEN 'brand_loyal' THEN b.is_brand_loyal
            WHEN 'price_sensitive' THEN b.is_price_sensitive
            ELSE b.is_seasonal
        END AS is_shown
    FROM insights.behaviour AS b
    CROSS JOIN behaviour_names AS n
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
SELECT customer_id, as_of, segmentation, CASE WHEN is_shown THEN 'yes' ELSE 'no' END AS segment
FROM behaviours
