-- Complete Journey coupon rows that repeat another one exactly.
-- owner: perennial
-- grain: source, core_table, reason
-- source: always journey.
-- core_table: always coupons, the table whose rows they would have been.
-- reason: why the rows were left out.
-- row_count: rows left out.
WITH
coupons AS (
    SELECT count(*) AS count_copies
    FROM raw.journey_coupons
    GROUP BY coupon_upc, campaign_id, product_id, _loaded_at
)

SELECT
    'journey' AS source,
    'coupons' AS core_table,
    'exact copy of another row' AS reason,
    sum(count_copies - 1) AS row_count
FROM coupons
HAVING sum(count_copies - 1) > 0
