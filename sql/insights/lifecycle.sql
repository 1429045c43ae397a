-- Lifecycle: the stage of each customer who has bought, and the measure that decided. One row per customer and cut-off.
-- The first rule that holds counts: lost after 180 days without a purchase; new within 90 days of the first one; stable with
-- fewer than 3 purchases in the last 180 days, which show no direction; then the value of the last 90 days over that of the
-- 90 days before: declining at 0.8 or less, growing at 1.2 or more or where only the last 90 days have any, stable between.
-- owner: perennial
-- grain: customer_id, as_of
-- check: accepted(stage, new, growing, stable, declining, lost)
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- stage: new, growing, stable, declining or lost.
-- measure: what decided: days_since_order, days_since_first_order, count_orders_180d or amount_ratio.
-- measure_value: its value; NULL for an amount_ratio over nothing.
-- threshold: bound that it reached; 3 for count_orders_180d, which it stayed below; for a stable amount_ratio 0.8, which it
-- stayed above.
-- since: start of what was looked at: the newest purchase (lost), the first one (new) or 180 days before the cut-off.
WITH
measures AS (
    SELECT
        r.customer_id,
        r.as_of,
        r.days_since_order,
        r.last_order_at,
        t.days_since_first_order,
        w.count_orders_180d,
        w.amount_90d,
        w.amount_180d - w.amount_90d AS earlier_amount
    FROM features.recency AS r
    INNER JOIN features.tenure AS t ON t.customer_id = r.customer_id AND t.as_of = r.as_of
    INNER JOIN features.trend AS w ON w.customer_id = r.customer_id AND w.as_of = r.as_of
    WHERE r.last_order_at IS NOT NULL
),

-- Rounded, so that a bound is reached in whatever order the amounts were added; half a cent of difference is nothing.
ratios AS (
    SELECT *, round(amount_90d / CASE WHEN earlier_amount > 0.005 THEN earlier_amount END, 9) AS amount_ratio
    FROM measures
),

decided AS (
    SELECT
        *,
        CASE
            WHEN days_since_order >= 180.0 THEN 'days_since_order'
            WHEN days_since_first_order < 90.0 THEN 'days_since_first_order'
            WHEN count_orders_180d < 3 THEN 'count_orders_180d'
            ELSE 'amount_ratio'
        END AS measure
    FROM ratios
),

staged AS (
    SELECT
        *,
        CASE
            WHEN measure = 'days_since_order' THEN 'lost'
            WHEN measure = 'days_since_first_order' THEN 'new'
            WHEN measure = 'count_orders_180d' THEN 'stable'
            WHEN amount_ratio <= 0.8 THEN 'declining'
            WHEN amount_ratio >= 1.2 THEN 'growing'
            WHEN amount_ratio IS NULL AND amount_90d > 0.0 THEN 'growing'
            ELSE 'stable'
        END AS stage
    FROM decided
)

SELECT
    customer_id,
    as_of,
    stage,
    measure,
    CASE measure
        WHEN 'days_since_order' THEN days_since_order
        WHEN 'days_since_first_order' THEN days_since_first_order
        WHEN 'count_orders_180d' THEN cast(count_orders_180d AS DOUBLE)
        ELSE amount_ratio
    END AS measure_value,
    CASE
        WHEN measure = 'days_since_order' THEN 180.0
        WHEN measure = 'days_since_first_order' THEN 90.0
        WHEN measure = 'count_orders_180d' THEN 3.0
        WHEN stage = 'growing' THEN 1.2
        ELSE 0.8
    END AS threshold,
    CASE stage
        WHEN 'lost' THEN last_order_at
        WHEN 'new' THEN as_of - arrow_cast(cast(round(days_since_first_order * 86400000000.0) AS BIGINT), 'Duration(Microsecond)')
        ELSE as_of - INTERVAL '180 days'
    END AS since
FROM staged
