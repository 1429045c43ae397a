-- Funnel: how far sessions come, from viewing a product to buying. One row per month of the session's start and channel.
-- A step counts sessions that also took the steps before it, so that no conversion exceeds 1.
-- owner: perennial
-- grain: month, channel
-- check: count_carted <= count_viewed
-- check: count_bought <= count_carted
-- month: first instant (UTC) of the month.
-- channel: channel of the session, unknown where it has none; all for all of them together.
-- count_sessions: sessions, whatever was done in them.
-- count_viewed: sessions in which a product was viewed.
-- count_carted: those of them in which a product was put into the cart.
-- count_bought: those of them that led to a purchase.
-- view_to_cart: carted over viewed; NULL where none was.
-- cart_to_purchase: bought over carted; NULL where none was.
-- view_to_purchase: bought over viewed; NULL where none was.
-- cart_drop_off: share of the viewed that were lost before the cart.
-- purchase_drop_off: share of the carted that were lost before the purchase.
WITH
sessions AS (
    SELECT
        date_trunc('month', started_at) AS month,
        coalesce(channel, 'unknown') AS channel,
        is_viewed,
        is_viewed AND is_carted AS is_carted,
        is_viewed AND is_carted AND is_bought AS is_bought
    FROM insights.sessions
),

by_channel AS (
    SELECT
        month,
        channel,
        count(*) AS count_sessions,
        count(*) FILTER (WHERE is_viewed) AS count_viewed,
        count(*) FILTER (WHERE is_carted) AS count_carted,
        count(*) FILTER (WHERE is_bought) AS count_bought
    FROM sessions
    GROUP BY month, channel
),

counted AS (
    SELECT month, channel, count_sessions, count_viewed, count_carted, count_bought
    FROM by_channel
    UNION ALL
    SELECT
        month,
        'all' AS channel,
        sum(count_sessions) AS count_sessions,
        sum(count_viewed) AS count_viewed,
        sum(count_carted) AS count_carted,
        sum(count_bought) AS count_bought
    FROM by_channel
    GROUP BY month
)

SELECT
    month,
    channel,
    count_sessions,
    count_viewed,
    count_carted,
    count_bought,
    count_carted / nullif(cast(count_viewed AS DOUBLE), 0.0) AS view_to_cart,
    count_bought / nullif(cast(count_carted AS DOUBLE), 0.0) AS cart_to_purchase,
    count_bought / nullif(cast(count_viewed AS DOUBLE), 0.0) AS view_to_purchase,
    1.0 - count_carted / nullif(cast(count_viewed AS DOUBLE), 0.0) AS cart_drop_off,
    1.0 - count_bought / nullif(cast(count_carted AS DOUBLE), 0.0) AS purchase_drop_off
FROM counted
