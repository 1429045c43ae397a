-- Marketing campaigns: one row per version of a campaign; the newest known version counts.
-- owner: perennial
-- grain: campaign_id, known_time
-- key: campaign_id
-- check: ended_at >= event_time
-- check: cost >= 0
-- campaign_id: id of the campaign.
-- event_time: when the campaign started.
-- known_time: when the company could have known this version.
-- name: name of the campaign.
-- channel: channel on which it reaches customers, such as email, sms, push or mail.
-- ended_at: when the campaign ended; NULL while open.
-- cost: fixed cost of the campaign, besides the cost of each touch.
CREATE TABLE core.campaigns (
    campaign_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP,
    name VARCHAR,
    channel VARCHAR,
    ended_at TIMESTAMP,
    cost DOUBLE
)
