-- CDNOW customers: everybody who bought, first seen at the first purchase.
-- owner: perennial
-- grain: customer_id
-- customer_id: customer_id without leading zeros.
-- event_time: day of the customer's first purchase.
-- known_time: when the rows were loaded, or the first purchase for a historical load.
-- signup_channel: always web.
WITH
transactions AS (
    SELECT
        cast(cast(customer_id AS BIGINT) AS VARCHAR) AS customer_id,
        cast(to_date(cast("date" AS VARCHAR), '%Y%m%d') AS TIMESTAMP) AS event_time,
        _loaded_at
    FROM raw.cdnow_transactions
)

SELECT
    customer_id,
    min(event_time) AS event_time,
    coalesce(max(_loaded_at), min(event_time)) AS known_time,
    'web' AS signup_channel
FROM transactions
GROUP BY customer_id
