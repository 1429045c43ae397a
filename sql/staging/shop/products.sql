-- Catalogue of the simulated shop.
-- owner: perennial
-- grain: product_id
-- product_id: product_id.
-- event_time: listed_at.
-- known_time: when the rows were loaded, or the listing for a historical load.
-- name: name.
-- category: category.
-- subcategory: subcategory.
-- brand: brand.
-- price: price.
-- cost: cost.
SELECT
    product_id,
    cast(listed_at AS TIMESTAMP) AS event_time,
    coalesce(_loaded_at, cast(listed_at AS TIMESTAMP)) AS known_time,
    name,
    category,
    subcategory,
    brand,
    cast(price AS DOUBLE) AS price,
    cast(cost AS DOUBLE) AS cost
FROM raw.shop_products
