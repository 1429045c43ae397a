-- Behaviours: insights.behaviour as one long table, for insights.tags and insights.segments. One row per customer, cut-off and
-- behaviour.
-- owner: perennial
-- grain: customer_id, as_of, behaviour
-- check: accepted(behaviour, frequent_browser, impulse, brand_loyal, price_sensitive, seasonal)
-- check: range(share, 0, 1)
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- behaviour: frequent_browser, impulse, brand_loyal, price_sensitive or seasonal.
-- is_shown: whether the customer shops so.
-- share: the share that decided; NULL where there is none.
WITH
names AS (
    SELECT behaviour
    FROM (VALUES ('frequent_browser'), ('impulse'), ('brand_loyal'), ('price_sensitive'), ('seasonal')) AS listed (behaviour)
)

SELECT
    b.customer_id,
    b.as_of,
    n.behaviour,
    CASE n.behaviour
        WHEN 'frequent_browser' THEN b.is_frequent_browser
        WHEN 'impulse' THEN b.is_impulse
        WHEN 'brand_loyal' THEN b.is_brand_loyal
        WHEN 'price_sensitive' THEN b.is_price_sensitive
        ELSE b.is_seasonal
    END AS is_shown,
    CASE n.behaviour
        WHEN 'frequent_browser' THEN b.browsing_share
        WHEN 'impulse' THEN b.impulse_share
        WHEN 'brand_loyal' THEN b.top_brand_share
        WHEN 'price_sensitive' THEN b.discounted_share
        ELSE b.top_season_share
    END AS share
FROM insights.behaviour AS b
CROSS JOIN names AS n
