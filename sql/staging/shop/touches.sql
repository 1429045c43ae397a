-- Messages of the simulated shop's campaigns: sent, opened and clicked.
-- owner: perennial
-- grain: touch_id
-- touch_id: touch_id.
-- customer_id: customer_id.
-- event_time: sent_at, which is the time of the open or click for those.
-- known_time: when the rows were loaded, or the touch for a historical load.
-- campaign_id: campaign_id.
-- channel: channel in lower case.
-- kind: kind in lower case.
-- cost: cost.
SELECT
    touch_id,
    customer_id,
    cast(sent_at AS TIMESTAMP) AS event_time,
    coalesce(_loaded_at, cast(sent_at AS TIMESTAMP)) AS known_time,
    campaign_id,
    lower(channel) AS channel,
    lower(kind) AS kind,
    cast(cost AS DOUBLE) AS cost
FROM raw.shop_touches
