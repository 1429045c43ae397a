-- Events with the time at which each version stopped counting.
-- owner: perennial
-- grain: event_id, known_time
-- event_id: id of the event.
-- customer_id: who did it; NULL for an unknown visitor.
-- event_time: when it happened.
-- known_time: when the company could have known it.
-- type: view, search, cart, favourite, login, support, social or a type of the source's own.
-- channel: channel on which it happened, such as web, app, store or phone.
-- product_id: product concerned; NULL for none.
-- session_id: visit that the event belongs to.
-- device: device used, such as phone or desktop.
-- place: where it happened, such as a page, a shop or a city.
-- dwell_seconds: seconds spent on it.
-- value: number that the source attaches, such as a basket value.
-- superseded_at: when the next version of the same key became known; NULL for the version in force.
WITH
-- What passed to another customer ends for the one who had it.
held AS (
    SELECT *, false AS is_moved
    FROM core.events
    UNION ALL BY NAME
    SELECT id AS event_id, customer_id, event_time, known_time, true AS is_moved
    FROM core.moves
    WHERE of_table = 'events'
),

versions AS (
    SELECT *, lead(known_time) OVER (PARTITION BY customer_id, event_id ORDER BY known_time, is_moved, event_time, type, product_id) AS superseded_at
    FROM held
)

-- A version that was superseded as it became known was never in force.
SELECT * EXCLUDE (is_moved)
FROM versions
WHERE NOT is_moved AND (superseded_at IS NULL OR superseded_at > known_time)
