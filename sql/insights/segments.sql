-- Segments: every shipped segmentation of the customers of a cut-off as one long table, so that all can be judged alike.
-- owner: perennial
-- grain: customer_id, as_of, segmentation
-- check: not_null(segment)
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row; only what was known before it decides.
-- segmentation: rfm, lifecycle, value_tier, or a behaviour: frequent_browser, impulse, brand_loyal, price_sensitive or seasonal.
-- segment: the segment, stage or tier; yes or no for a behaviour.
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
