-- Complete Journey campaigns: coupon mailings of three types.
-- owner: perennial
-- grain: campaign_id
-- campaign_id: campaign_id.
-- event_time: start_date.
-- known_time: when the rows were loaded, or the start for a historical load.
-- name: campaign type and number.
-- channel: always mail.
-- ended_at: end of the campaign's last day.
SELECT
    campaign_id,
    cast(start_date AS TIMESTAMP) AS event_time,
    coalesce(_loaded_at, cast(start_date AS TIMESTAMP)) AS known_time,
    concat(campaign_type, ', campaign ', campaign_id) AS name,
    'mail' AS channel,
    cast(end_date AS TIMESTAMP) + INTERVAL '1 day' AS ended_at
FROM raw.journey_campaign_descriptions
