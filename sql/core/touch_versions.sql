-- Touches with the time at which each version stopped counting.
-- owner: perennial
-- grain: touch_id, known_time
-- touch_id: id of the contact.
-- customer_id: who was reached.
-- event_time: when it was sent, opened or clicked.
-- known_time: when the company could have known it.
-- campaign_id: campaign that it belongs to.
-- channel: channel of the message, such as email, sms, push or mail.
-- kind: sent, open or click.
-- cost: what this contact cost.
-- superseded_at: when the next version of the same key became known; NULL for the version in force.
WITH
corrected AS (
    SELECT touch_id
    FROM core.touches
    GROUP BY touch_id
    HAVING count(*) > 1
),

-- Most keys have one version, so only the others are sorted; DISTINCT drops what was sent twice unchanged.
several AS (
    SELECT DISTINCT t.*
    FROM core.touches AS t
    LEFT SEMI JOIN corrected AS c ON c.touch_id = t.touch_id
),

single AS (
    SELECT t.*
    FROM core.touches AS t
    LEFT ANTI JOIN corrected AS c ON c.touch_id = t.touch_id
)

SELECT *, cast(NULL AS TIMESTAMP) AS superseded_at
FROM single
UNION ALL
SELECT *, lead(known_time) OVER (PARTITION BY touch_id ORDER BY known_time, event_time, kind, campaign_id) AS superseded_at
FROM several
