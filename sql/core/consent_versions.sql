-- Consents with the time at which each version of a decision stopped counting.
-- owner: perennial
-- grain: consent_id, known_time
-- consent_id: id of the decision.
-- customer_id: who decided.
-- event_time: when it was decided.
-- known_time: when the company could have known it.
-- purpose: what the data may be used for, such as marketing or profiling.
-- channel: channel that the decision covers; NULL for all.
-- is_granted: whether consent was given (true) or withdrawn (false); of two versions known at one time a withdrawal counts.
-- superseded_at: when the next version of the same key became known; NULL for the version in force.
WITH
-- What passed to another customer ends for the one who had it.
held AS (
    SELECT *, false AS is_moved
    FROM core.consents
    UNION ALL BY NAME
    SELECT id AS consent_id, customer_id, event_time, known_time, true AS is_moved
    FROM core.moves
    WHERE of_table = 'consents'
),

versions AS (
    SELECT *, lead(known_time) OVER (PARTITION BY customer_id, consent_id ORDER BY known_time, is_moved, event_time, is_granted DESC NULLS LAST) AS superseded_at
    FROM held
)

-- A version that was superseded as it became known was never in force.
SELECT * EXCLUDE (is_moved)
FROM versions
WHERE NOT is_moved AND (superseded_at IS NULL OR superseded_at > known_time)
