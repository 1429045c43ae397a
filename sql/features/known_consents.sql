-- Consents as known at each cut-off: the one place that applies the point-in-time rule to them. One row per decision.
-- owner: perennial
-- grain: customer_id, as_of, consent_id
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row; event time and known time of every decision here lie before it.
-- consent_id: id of the decision.
-- event_time: when it was decided; the newest decision that covers a purpose and channel is in force.
-- purpose: what the data may be used for.
-- channel: channel that the decision covers; NULL for all.
-- is_granted: whether consent was given (true) or withdrawn (false).
SELECT
    s.customer_id,
    s.as_of,
    c.consent_id,
    c.event_time,
    c.purpose,
    c.channel,
    c.is_granted
FROM spine AS s
INNER JOIN core.consent_versions AS c
    ON c.customer_id = s.customer_id
    AND c.event_time < s.as_of
    AND c.known_time < s.as_of
    AND (c.superseded_at IS NULL OR c.superseded_at >= s.as_of)
