-- Complete Journey mailings: one touch per household that a campaign was sent to, on the campaign's first day.
-- owner: perennial
-- driver: raw.journey_campaigns
-- grain: touch_id
-- touch_id: campaign and household.
-- customer_id: household_id.
-- event_time: start_date of the campaign.
-- known_time: when the rows were loaded, or the start for a historical load.
-- campaign_id: campaign_id.
-- channel: always mail.
-- kind: always sent; the data have no opens.
SELECT
    concat(c.campaign_id, '-', c.household_id) AS touch_id,
    c.household_id AS customer_id,
    cast(d.start_date AS TIMESTAMP) AS event_time,
    coalesce(c._loaded_at, cast(d.start_date AS TIMESTAMP)) AS known_time,
    c.campaign_id,
    'mail' AS channel,
    'sent' AS kind
FROM raw.journey_campaigns AS c
INNER JOIN raw.journey_campaign_descriptions AS d ON d.campaign_id = c.campaign_id
