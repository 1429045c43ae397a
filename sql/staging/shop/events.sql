-- What customers of the simulated shop did on web and app.
-- owner: perennial
-- grain: event_id
-- event_id: event_id.
-- customer_id: customer_id.
-- event_time: occurred_at.
-- known_time: recorded_at.
-- type: type in lower case.
-- channel: channel in lower case.
-- product_id: product_id; NULL for none.
-- session_id: session_id.
-- device: device.
-- dwell_seconds: dwell_seconds.
SELECT
    event_id,
    customer_id,
    cast(occurred_at AS TIMESTAMP) AS event_time,
    coalesce(cast(recorded_at AS TIMESTAMP), _loaded_at, cast(occurred_at AS TIMESTAMP)) AS known_time,
    lower(type) AS type,
    lower(channel) AS channel,
    product_id,
    session_id,
    device,
    cast(dwell_seconds AS DOUBLE) AS dwell_seconds
FROM raw.shop_events
