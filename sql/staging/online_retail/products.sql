-- Online Retail products: every good that was sold, named and priced as on most of its lines; the data have no categories.
-- owner: perennial
-- grain: product_id
-- product_id: StockCode in upper case.
-- event_time: when it was first sold.
-- known_time: when the lines were loaded, or the first sale for a historical load.
-- name: the commonest Description, the first in the alphabet on a tie.
-- price: median price of its sales.
WITH
sold AS (
    SELECT
        upper("StockCode") AS product_id,
        trim("Description") AS name,
        cast("InvoiceDate" AS TIMESTAMP) AS event_time,
        "UnitPrice" AS price,
        _loaded_at
    FROM raw.online_retail_lines
    WHERE "UnitPrice" > 0
        AND regexp_like("StockCode", '^([0-9]{5}|DCGS|PADS)')
        AND "InvoiceNo" NOT LIKE 'C%'
),

names AS (
    SELECT product_id, name, count(*) AS count_lines
    FROM sold
    WHERE name <> ''
    GROUP BY product_id, name
),

commonest AS (
    SELECT product_id, first_value(name ORDER BY count_lines DESC, name) AS name
    FROM names
    GROUP BY product_id
),

products AS (
    SELECT
        product_id,
        min(event_time) AS event_time,
        coalesce(max(_loaded_at), min(event_time)) AS known_time,
        median(price) AS price
    FROM sold
    GROUP BY product_id
)

SELECT
    p.product_id,
    p.event_time,
    p.known_time,
    c.name,
    p.price
FROM products AS p
LEFT JOIN commonest AS c ON c.product_id = p.product_id
