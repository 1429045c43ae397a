-- Churn warnings: simple signs that a customer is leaving. One row per customer, cut-off and rule that fires.
-- owner: perennial
-- grain: customer_id, as_of, rule
-- check: accepted(rule, no_purchase, no_login, basket_down, overdue, engagement_down)
-- check: not_null(value)
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- rule: no_purchase (none for 90 days), no_login (none for 90 days after at least one), basket_down (mean purchase of the
-- last 90 days at least 20 % below that of the 275 days before, with at least two purchases there), overdue (twice the
-- customer's own mean gap has passed, with at least two gaps) or engagement_down (events per day of the last 30 days at
-- most half of those of the 90 days before, with at least 6 events from 90 to 30 days before the cut-off).
-- value: days, ratio of means, days over the mean gap, or ratio of events per day, as the rule says.
-- threshold: bound that the value reached.
-- since: start of what the rule looked at: the newest purchase or login, or the start of its newer window.
WITH
recency AS (
    SELECT customer_id, as_of, last_order_at, days_since_order
    FROM features.recency
    WHERE last_order_at IS NOT NULL
),

rhythm AS (
    SELECT customer_id, as_of, overdue_ratio
    FROM features.rhythm
    WHERE sd_gap_days IS NOT NULL
),

engagement AS (
    SELECT
        customer_id,
        as_of,
        days_since_login,
        engagement_fade,
        count_events_90d - count_events_30d AS count_earlier_events
    FROM features.engagement
),

baskets AS (
    SELECT
        customer_id,
        as_of,
        avg(amount) FILTER (WHERE event_time >= as_of - INTERVAL '90 days') AS newer_amount,
        avg(amount) FILTER (WHERE event_time < as_of - INTERVAL '90 days') AS older_amount
    FROM features.known_orders
    WHERE is_purchase AND event_time >= as_of - INTERVAL '365 days'
    GROUP BY customer_id, as_of
    HAVING count(*) FILTER (WHERE event_time < as_of - INTERVAL '90 days') >= 2
),

-- Rounded, so that a bound is reached in whatever order the amounts were added.
basket_ratios AS (
    SELECT customer_id, as_of, round(newer_amount / older_amount, 9) AS basket_ratio
    FROM baskets
    WHERE older_amount > 0.0
)

SELECT
    customer_id,
    as_of,
    'no_purchase' AS rule,
    days_since_order AS value,
    90.0 AS threshold,
    last_order_at AS since
FROM recency
WHERE days_since_order >= 90.0
UNION ALL
SELECT
    customer_id,
    as_of,
    'no_login' AS rule,
    days_since_login AS value,
    90.0 AS threshold,
    as_of - arrow_cast(cast(round(days_since_login * 86400000000.0) AS BIGINT), 'Duration(Microsecond)') AS since
FROM engagement
WHERE days_since_login >= 90.0
UNION ALL
SELECT
    customer_id,
    as_of,
    'basket_down' AS rule,
    basket_ratio AS value,
    0.8 AS threshold,
    as_of - INTERVAL '90 days' AS since
FROM basket_ratios
WHERE basket_ratio <= 0.8
UNION ALL
SELECT
    r.customer_id,
    r.as_of,
    'overdue' AS rule,
    g.overdue_ratio AS value,
    2.0 AS threshold,
    r.last_order_at AS since
FROM recency AS r
INNER JOIN rhythm AS g ON g.customer_id = r.customer_id AND g.as_of = r.as_of
WHERE g.overdue_ratio >= 2.0
UNION ALL
SELECT
    customer_id,
    as_of,
    'engagement_down' AS rule,
    engagement_fade AS value,
    0.5 AS threshold,
    as_of - INTERVAL '30 days' AS since
FROM engagement
WHERE engagement_fade <= 0.5 AND count_earlier_events >= 6
