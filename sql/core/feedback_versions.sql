-- Feedback with the time at which each version stopped counting.
-- owner: perennial
-- grain: feedback_id, known_time
-- pii: text
-- feedback_id: id of the answer.
-- customer_id: who said it.
-- event_time: when it was said.
-- known_time: when the company could have known it.
-- kind: review, nps, csat, complaint or a kind of the source's own.
-- score: grade given, on the scale of its kind.
-- text: free text; may name people.
-- superseded_at: when the next version of the same key became known; NULL for the version in force.
WITH
-- What passed to another customer ends for the one who had it.
held AS (
    SELECT *, false AS is_moved
    FROM core.feedback
    UNION ALL BY NAME
    SELECT id AS feedback_id, customer_id, event_time, known_time, true AS is_moved
    FROM core.moves
    WHERE of_table = 'feedback'
),

versions AS (
    SELECT *, lead(known_time) OVER (PARTITION BY customer_id, feedback_id ORDER BY known_time, is_moved, event_time, kind, score) AS superseded_at
    FROM held
)

-- A version that was superseded as it became known was never in force.
SELECT * EXCLUDE (is_moved)
FROM versions
WHERE NOT is_moved AND (superseded_at IS NULL OR superseded_at > known_time)
