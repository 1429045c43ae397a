-- Complete Journey products: the whole catalogue, also what was never bought.
-- owner: perennial
-- grain: product_id
-- product_id: product_id.
-- event_time: start of the year that the data cover; they have no listing date.
-- known_time: when the rows were loaded, or that day for a historical load.
-- name: product type with package size.
-- category: product_category, or the department where it is missing.
-- subcategory: product_type.
-- brand: Private for the shop's own; of a national brand the data name only the manufacturer, by number.
SELECT
    product_id,
    cast('2017-01-01' AS TIMESTAMP) AS event_time,
    coalesce(_loaded_at, cast('2017-01-01' AS TIMESTAMP)) AS known_time,
    concat_ws(' ', product_type, package_size) AS name,
    coalesce(product_category, department) AS category,
    product_type AS subcategory,
    CASE WHEN brand = 'National' THEN concat('manufacturer ', manufacturer_id) ELSE brand END AS brand
FROM raw.journey_products
