-- Complete Journey coupon rows that repeat another one exactly.
-- grain: source, core_table, reason
-- source: always journey.
-- core_table: always coupons, the table whose rows they would have been.
-- reason: why the rows were left out.
-- row_count: rows left out.
WITH
copies AS (
    SELECT row_number() OVER (PARTITION BY coupon_upc, campaign_id, product_id, _loaded_at ORDER BY _row) AS copy
    FROM raw.journey_coupons
)

SELECT
    'journey' AS source,
    'coupons' AS core_table,
    'exact copy of another row' AS reason,
    count(*) AS row_count
FROM copies
WHERE copy > 1
HAVING count(*) > 0
