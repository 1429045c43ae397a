-- Trend: purchases in windows before the cut-off, and whether they speed up or fade. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: count_orders_30d <= count_orders_90d
-- check: count_orders_90d <= count_orders_180d
-- check: count_orders_180d <= count_orders_365d
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- count_orders_30d: purchases in the 30 days before the cut-off.
-- count_orders_90d: purchases in the 90 days before the cut-off.
-- count_orders_180d: purchases in the 180 days before the cut-off.
-- count_orders_365d: purchases in the 365 days before the cut-off.
-- amount_30d: value of those purchases in the 30 days before the cut-off.
-- amount_90d: value of those purchases in the 90 days before the cut-off.
-- amount_180d: value of those purchases in the 180 days before the cut-off.
-- amount_365d: value of those purchases in the 365 days before the cut-off.
-- order_trend_30_90: purchases per day of the last 30 days over those of the last 90, 1 when steady; NULL without any in 90.
-- order_trend_90_180: purchases per day of the last 90 days over those of the last 180; NULL without any in 180.
-- order_trend_90_365: purchases per day of the last 90 days over those of the last 365; NULL without any in 365.
-- amount_trend_30_90: value per day of the last 30 days over that of the last 90; NULL without any in 90.
-- amount_trend_90_180: value per day of the last 90 days over that of the last 180; NULL without any in 180.
-- amount_trend_90_365: value per day of the last 90 days over that of the last 365; NULL without any in 365.
WITH
windows AS (
    SELECT
        customer_id,
        as_of,
        count(*) FILTER (WHERE event_time >= as_of - INTERVAL '30 days') AS count_orders_30d,
        count(*) FILTER (WHERE event_time >= as_of - INTERVAL '90 days') AS count_orders_90d,
        count(*) FILTER (WHERE event_time >= as_of - INTERVAL '180 days') AS count_orders_180d,
        count(*) AS count_orders_365d,
        sum(amount) FILTER (WHERE event_time >= as_of - INTERVAL '30 days') AS amount_30d,
        sum(amount) FILTER (WHERE event_time >= as_of - INTERVAL '90 days') AS amount_90d,
        sum(amount) FILTER (WHERE event_time >= as_of - INTERVAL '180 days') AS amount_180d,
        sum(amount) AS amount_365d
    FROM features.known_orders
    WHERE is_purchase AND event_time >= as_of - INTERVAL '365 days'
    GROUP BY customer_id, as_of
),

filled AS (
    SELECT
        s.customer_id,
        s.as_of,
        coalesce(w.count_orders_30d, 0) AS count_orders_30d,
        coalesce(w.count_orders_90d, 0) AS count_orders_90d,
        coalesce(w.count_orders_180d, 0) AS count_orders_180d,
        coalesce(w.count_orders_365d, 0) AS count_orders_365d,
        coalesce(w.amount_30d, 0.0) AS amount_30d,
        coalesce(w.amount_90d, 0.0) AS amount_90d,
        coalesce(w.amount_180d, 0.0) AS amount_180d,
        coalesce(w.amount_365d, 0.0) AS amount_365d
    FROM spine AS s
    LEFT JOIN windows AS w ON w.customer_id = s.customer_id AND w.as_of = s.as_of
)

SELECT
    customer_id,
    as_of,
    count_orders_30d,
    count_orders_90d,
    count_orders_180d,
    count_orders_365d,
    amount_30d,
    amount_90d,
    amount_180d,
    amount_365d,
    (count_orders_30d / 30.0) / nullif(count_orders_90d / 90.0, 0.0) AS order_trend_30_90,
    (count_orders_90d / 90.0) / nullif(count_orders_180d / 180.0, 0.0) AS order_trend_90_180,
    (count_orders_90d / 90.0) / nullif(count_orders_365d / 365.0, 0.0) AS order_trend_90_365,
    (amount_30d / 30.0) / nullif(amount_90d / 90.0, 0.0) AS amount_trend_30_90,
    (amount_90d / 90.0) / nullif(amount_180d / 180.0, 0.0) AS amount_trend_90_180,
    (amount_90d / 90.0) / nullif(amount_365d / 365.0, 0.0) AS amount_trend_90_365
FROM filled
