-- Products of the catalogue: one row per version of a product; the newest known version counts.
-- owner: perennial
-- grain: product_id, known_time
-- key: product_id
-- check: price >= 0
-- check: cost >= 0
-- check: unique(product_id) severity warn
-- check: missing(category) at most 100 % severity warn
-- product_id: canonical text id of the product.
-- event_time: when the product was listed, or first sold where the source has no listing.
-- known_time: when the company could have known this version.
-- name: name that a customer would read.
-- category: main category, the level that category features use.
-- subcategory: finer category below the main one.
-- brand: brand or maker.
-- price: list price of one piece.
-- cost: what one piece costs the company.
CREATE TABLE core.products (
    product_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP,
    name VARCHAR,
    category VARCHAR,
    subcategory VARCHAR,
    brand VARCHAR,
    price DOUBLE,
    cost DOUBLE
)
