-- Events as known at each cut-off: the one place that applies the point-in-time rule to events.
-- owner: perennial
-- grain: customer_id, as_of, event_id
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row; event time and known time of every event here lie before it.
-- event_id: id of the event.
-- event_time: when it happened.
-- type: view, search, cart, favourite, login, support, social or a type of the source's own.
-- channel: channel on which it happened.
-- dwell_seconds: seconds spent on it, 0 where unknown.
SELECT
    s.customer_id,
    s.as_of,
    e.event_id,
    e.event_time,
    e.type,
    e.channel,
    coalesce(e.dwell_seconds, 0.0) AS dwell_seconds
FROM spine AS s
INNER JOIN core.event_versions AS e
    ON e.customer_id = s.customer_id
    AND e.event_time < s.as_of
    AND e.known_time < s.as_of
    AND (e.superseded_at IS NULL OR e.superseded_at >= s.as_of)
