-- Online Retail lines: goods sold and goods taken back, each exact copy once.
-- owner: perennial
-- grain: order_id, line_id
-- order_id: InvoiceNo.
-- line_id: row of the line's first copy in its file.
-- customer_id: CustomerID as whole number; NULL where the shop did not know the customer.
-- event_time: InvoiceDate.
-- known_time: when the line was loaded, or the invoice for a historical load.
-- product_id: StockCode in upper case.
-- channel: always web.
-- quantity: Quantity, negative on C invoices.
-- unit_price: UnitPrice.
-- amount: quantity times price.
-- discount: always 0; discounts are lines that were set aside.
-- is_return: whether the invoice is a C invoice.
WITH
-- Goods have a price and a code of five digits, or one of two others; what is left out is counted in set_aside.sql.
goods AS (
    SELECT
        "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country", _loaded_at,
        min(_row) AS first_row
    FROM raw.online_retail_lines
    WHERE "UnitPrice" > 0 AND regexp_like("StockCode", '^([0-9]{5}|DCGS|PADS)')
    GROUP BY
        "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country", _loaded_at
)

SELECT
    "InvoiceNo" AS order_id,
    cast(first_row AS VARCHAR) AS line_id,
    cast(cast("CustomerID" AS BIGINT) AS VARCHAR) AS customer_id,
    cast("InvoiceDate" AS TIMESTAMP) AS event_time,
    coalesce(_loaded_at, cast("InvoiceDate" AS TIMESTAMP)) AS known_time,
    upper("StockCode") AS product_id,
    'web' AS channel,
    cast("Quantity" AS DOUBLE) AS quantity,
    "UnitPrice" AS unit_price,
    "Quantity" * "UnitPrice" AS amount,
    0.0 AS discount,
    "InvoiceNo" LIKE 'C%' AS is_return
FROM goods
