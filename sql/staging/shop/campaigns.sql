-- Campaigns of the simulated shop.
-- owner: perennial
-- grain: campaign_id
-- campaign_id: campaign_id.
-- event_time: started_at.
-- known_time: when the rows were loaded, or the start for a historical load.
-- name: name.
-- channel: channel in lower case.
-- ended_at: ended_at.
-- cost: cost.
SELECT
    campaign_id,
    cast(started_at AS TIMESTAMP) AS event_time,
    coalesce(_loaded_at, cast(started_at AS TIMESTAMP)) AS known_time,
    name,
    lower(channel) AS channel,
    cast(ended_at AS TIMESTAMP) AS ended_at,
    cast(cost AS DOUBLE) AS cost
FROM raw.shop_campaigns
