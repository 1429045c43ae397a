-- First segments: the segments of each customer who has bought that stay what they are, in the newest version known, for cohorts
-- and what follows a first purchase. One row per customer and segmentation. Segments that customers move between, such as tiers,
-- are not among them: whoever is a champion today was none at the first purchase, and only buyers become one.
-- owner: perennial
-- grain: customer_id, segmentation
-- check: accepted(segmentation, all, channel, country, gender)
-- check: not_null(segment)
-- customer_id: customer with a purchase.
-- first_at: when the first purchase was made.
-- segmentation: all, channel, country or gender.
-- segment: channel of the first purchase, country or gender as the source codes it, unknown where there is none; all for all
-- customers together.
WITH
firsts AS (
    SELECT
        customer_id,
        min(event_time) AS first_at,
        first_value(channel ORDER BY event_time, order_id) AS channel
    FROM core.order_versions
    WHERE superseded_at IS NULL AND status = 'completed' AND customer_id IS NOT NULL
    GROUP BY customer_id
),

known AS (
    SELECT f.customer_id, f.first_at, f.channel, c.country, c.gender
    FROM firsts AS f
    LEFT JOIN core.customer_versions AS c
        ON c.customer_id = f.customer_id
        AND c.superseded_at IS NULL
        AND NOT coalesce(c.is_deleted, false)
),

names AS (
    SELECT segmentation
    FROM (VALUES ('all'), ('channel'), ('country'), ('gender')) AS listed (segmentation)
)

SELECT
    k.customer_id,
    k.first_at,
    n.segmentation,
    coalesce(
        CASE n.segmentation
            WHEN 'all' THEN 'all'
            WHEN 'channel' THEN k.channel
            WHEN 'country' THEN k.country
            ELSE k.gender
        END,
        'unknown'
    ) AS segment
FROM known AS k
CROSS JOIN names AS n
