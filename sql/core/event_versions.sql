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
corrected AS (
    SELECT event_id
    FROM core.events
    GROUP BY event_id
    HAVING count(*) > 1
),

-- Most keys have one version, so only the others are sorted; DISTINCT drops what was sent twice unchanged.
several AS (
    SELECT DISTINCT e.*
    FROM core.events AS e
    LEFT SEMI JOIN corrected AS c ON c.event_id = e.event_id
),

single AS (
    SELECT e.*
    FROM core.events AS e
    LEFT ANTI JOIN corrected AS c ON c.event_id = e.event_id
)

SELECT *, cast(NULL AS TIMESTAMP) AS superseded_at
FROM single
UNION ALL
SELECT *, lead(known_time) OVER (PARTITION BY event_id ORDER BY known_time, event_time, type, product_id) AS superseded_at
FROM several
