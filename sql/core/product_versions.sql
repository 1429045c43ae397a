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
versions AS (
    SELECT *, lead(known_time) OVER (PARTITION BY product_id ORDER BY known_time, event_time, name, category) AS superseded_at
    FROM core.products
)

-- A version that was superseded as it became known was never in force.
SELECT *
FROM versions
WHERE superseded_at IS NULL OR superseded_at > known_time
