-- Online Retail invoices: what is left of each after its lines were cleaned; C invoices take goods back.
-- owner: perennial
-- grain: order_id
-- order_id: InvoiceNo.
-- customer_id: CustomerID as whole number; NULL where the shop did not know the customer.
-- event_time: the earlier InvoiceDate where the lines of an invoice differ by a minute.
-- known_time: when the lines were loaded, or the invoice for a historical load.
-- channel: always web.
-- status: returned for C invoices, else completed.
-- currency: always GBP.
-- amount: sum of quantity times price over the invoice's goods, without postage and fees, in tenths of a penny as prices are.
-- discount: always 0; discounts are lines that were set aside.
WITH
-- Goods have a price and a code of five digits, or one of two others; what is left out is counted in set_aside.sql.
-- The distinct rows are those that remain when exact copies of a line are dropped.
goods AS (
    SELECT DISTINCT
        "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country", _loaded_at
    FROM raw.online_retail_lines
    WHERE "UnitPrice" > 0 AND regexp_like("StockCode", '^([0-9]{5}|DCGS|PADS)')
)

SELECT
    "InvoiceNo" AS order_id,
    cast(cast(max("CustomerID") AS BIGINT) AS VARCHAR) AS customer_id,
    min(cast("InvoiceDate" AS TIMESTAMP)) AS event_time,
    coalesce(max(_loaded_at), min(cast("InvoiceDate" AS TIMESTAMP))) AS known_time,
    'web' AS channel,
    CASE WHEN "InvoiceNo" LIKE 'C%' THEN 'returned' ELSE 'completed' END AS status,
    'GBP' AS currency,
    round(sum("Quantity" * "UnitPrice"), 3) AS amount,
    0.0 AS discount
FROM goods
GROUP BY "InvoiceNo"
