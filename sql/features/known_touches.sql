-- Campaign touches as known at each cut-off: the one place that applies the point-in-time rule to touches.
-- owner: perennial
-- grain: customer_id, as_of, touch_id
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row; event time and known time of every touch here lie before it.
-- touch_id: id of the contact.
-- event_time: when it was sent, opened or clicked.
-- campaign_id: campaign that it belongs to.
-- channel: channel of the message.
-- kind: sent, open or click.
SELECT
    s.customer_id,
    s.as_of,
    t.touch_id,
    t.event_time,
    t.campaign_id,
    t.channel,
    t.kind
FROM spine AS s
INNER JOIN core.touch_versions AS t
    ON t.customer_id = s.customer_id
    AND t.event_time < s.as_of
    AND t.known_time < s.as_of
    AND (t.superseded_at IS NULL OR t.superseded_at >= s.as_of)
