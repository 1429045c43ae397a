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
-- What passed to another customer ends for the one who had it.
held AS (
    SELECT *, false AS is_moved
    FROM core.touches
    UNION ALL BY NAME
    SELECT id AS touch_id, customer_id, event_time, known_time, true AS is_moved
    FROM core.moves
    WHERE of_table = 'touches'
),

versions AS (
    SELECT *, lead(known_time) OVER (PARTITION BY customer_id, touch_id ORDER BY known_time, is_moved, event_time, kind, campaign_id) AS superseded_at
    FROM held
)

-- A version that was superseded as it became known was never in force.
SELECT * EXCLUDE (is_moved)
FROM versions
WHERE NOT is_moved AND (superseded_at IS NULL OR superseded_at > known_time)
