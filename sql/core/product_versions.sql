-- Products with the time at which each version stopped counting.
-- owner: perennial
-- grain: product_id, known_time
-- product_id: canonical text id of the product.
-- event_time: when the product was listed, or first sold where the source has no listing.
-- known_time: when the company could have known this version.
-- name: name that a customer would read.
-- category: main category, the level that category features use.
-- subcategory: finer category below the main one.
-- brand: brand or maker.
-- price: list price of one piece.
-- cost: what one piece costs the company.
-- superseded_at: when the next version of the same key became known; NULL for the version in force.
WITH
corrected AS (
    SELECT product_id
    FROM core.products
    GROUP BY product_id
    HAVING count(*) > 1
),

-- Most keys have one version, so only the others are sorted; DISTINCT drops what was sent twice unchanged.
several AS (
    SELECT DISTINCT p.*
    FROM core.products AS p
    LEFT SEMI JOIN corrected AS c ON c.product_id = p.product_id
),

single AS (
    SELECT p.*
    FROM core.products AS p
    LEFT ANTI JOIN corrected AS c ON c.product_id = p.product_id
)

SELECT *, cast(NULL AS TIMESTAMP) AS superseded_at
FROM single
UNION ALL
SELECT *, lead(known_time) OVER (PARTITION BY product_id ORDER BY known_time, event_time, name, category) AS superseded_at
FROM several
