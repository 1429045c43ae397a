-- Complete Journey households: everybody who shopped, first seen at the first basket; the demographics have no place in core.
-- owner: perennial
-- grain: customer_id
-- customer_id: household_id.
-- event_time: when the household's first basket was paid.
-- known_time: when the rows were loaded, or the first basket for a historical load.
-- signup_channel: always store.
SELECT
    household_id AS customer_id,
    min(cast(transaction_timestamp AS TIMESTAMP)) AS event_time,
    coalesce(max(_loaded_at), min(cast(transaction_timestamp AS TIMESTAMP))) AS known_time,
    'store' AS signup_channel
FROM raw.journey_transactions
GROUP BY household_id
