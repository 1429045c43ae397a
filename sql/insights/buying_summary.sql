-- Buying summary: the four numbers that "buy till you die" models need, in whole days. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: recency_days <= age_days
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- repeat_days: purchase days after the first one; orders of one day are one purchase.
-- recency_days: days from the first to the newest purchase day; 0 for a single one.
-- age_days: days from the first purchase day to the last day before the cut-off.
-- repeat_amount: mean value of the repeat purchase days; 0 for none.
WITH
firsts AS (
    SELECT
        customer_id,
        as_of,
        min(ordered_on) AS first_on,
        max(ordered_on) AS last_on,
        count(*) - 1 AS repeat_days,
        sum(amount) AS amount,
        first_value(amount ORDER BY ordered_on) AS first_amount
    FROM features.purchase_days
    GROUP BY customer_id, as_of
)

SELECT
    customer_id,
    as_of,
    repeat_days,
    last_on - first_on AS recency_days,
    cast(as_of - INTERVAL '1 microsecond' AS DATE) - first_on AS age_days,
    CASE WHEN repeat_days > 0 THEN (amount - first_amount) / repeat_days ELSE 0.0 END AS repeat_amount
FROM firsts
