-- Online Retail lines that are no goods sold or taken back, by reason; each line is counted once, and copies as copies whatever they copy.
-- owner: perennial
-- grain: source, core_table, reason
-- source: always online_retail.
-- core_table: always order_lines, the table whose rows they would have been.
-- reason: why the lines were left out.
-- row_count: lines left out.
WITH
lines AS (
    SELECT "StockCode", "UnitPrice", "CustomerID", count(*) AS count_copies
    FROM raw.online_retail_lines
    GROUP BY
        "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country", _loaded_at
),

reasons AS (
    SELECT 'exact copy of another line' AS reason, count_copies - 1 AS row_count
    FROM lines
    UNION ALL
    SELECT
        CASE
            WHEN "StockCode" = 'B' THEN 'adjustment of bad debt'
            WHEN upper("StockCode") = 'M' THEN 'manual correction'
            WHEN "StockCode" = 'D' THEN 'discount on an earlier invoice'
            WHEN "StockCode" IN ('POST', 'DOT', 'C2') THEN 'postage or carriage'
            WHEN "StockCode" IN ('AMAZONFEE', 'BANK CHARGES', 'CRUK') THEN 'fee or commission paid by the shop'
            WHEN "StockCode" = 'S' THEN 'sample'
            WHEN "StockCode" LIKE 'gift%' THEN 'gift voucher'
            WHEN NOT regexp_like("StockCode", '^([0-9]{5}|DCGS|PADS)') THEN 'unknown kind of stock code'
            WHEN "UnitPrice" > 0 THEN NULL
            WHEN "CustomerID" IS NULL THEN 'stock correction without a price'
            ELSE 'given away without a price'
        END AS reason,
        1 AS row_count
    FROM lines
)

SELECT
    'online_retail' AS source,
    'order_lines' AS core_table,
    reason,
    sum(row_count) AS row_count
FROM reasons
WHERE reason IS NOT NULL
GROUP BY reason
HAVING sum(row_count) > 0
