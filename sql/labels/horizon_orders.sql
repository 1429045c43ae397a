-- Orders in each complete horizon, as known at the snapshot: the one place that decides which orders a label sees.
-- owner: perennial
-- grain: customer_id, as_of, order_id
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- order_id: id of the order or return document.
-- event_time: when it happened, at or after the cut-off and before the horizon's end.
-- amount: net value of the order; negative for a document that takes goods back.
-- is_purchase: whether it is a completed order of some value; an order worth nothing is no sign of life.
SELECT
    h.customer_id,
    h.as_of,
    o.order_id,
    o.event_time,
    coalesce(o.amount, 0.0) AS amount,
    o.status = 'completed' AND coalesce(o.amount, 0.0) > 0.0 AS is_purchase
FROM labels.horizon AS h
INNER JOIN core.order_versions AS o
    ON o.customer_id = h.customer_id
    AND o.event_time >= h.as_of
    AND o.event_time < h.ends_at
WHERE h.is_complete
    AND o.superseded_at IS NULL
    AND NOT o.is_void
