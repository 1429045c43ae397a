-- Campaigns with the time at which each version stopped counting.
-- owner: perennial
-- grain: campaign_id, known_time
-- campaign_id: id of the campaign.
-- event_time: when the campaign started.
-- known_time: when the company could have known this version.
-- name: name of the campaign.
-- channel: channel on which it reaches customers, such as email, sms, push or mail.
-- ended_at: when the campaign ended; NULL while open.
-- cost: fixed cost of the campaign, besides the cost of each touch.
-- superseded_at: when the next version of the same key became known; NULL for the version in force.
WITH
versions AS (
    SELECT *, lead(known_time) OVER (PARTITION BY campaign_id ORDER BY known_time, event_time, name DESC NULLS FIRST) AS superseded_at
    FROM core.campaigns
)

-- A version that was superseded as it became known was never in force.
SELECT *
FROM versions
WHERE superseded_at IS NULL OR superseded_at > known_time
