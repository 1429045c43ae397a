-- Orders that count, as known at each cut-off: the one place that applies the point-in-time rule to orders.
-- owner: perennial
-- grain: customer_id, as_of, order_id
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row; event time and known time of every order here lie before it.
-- order_id: id of the order or return document.
-- event_time: when the order was placed or the goods came back.
-- channel: channel of the order.
-- campaign_id: campaign that the source credits with the order.
-- amount: net value of the order; negative for a document that takes goods back.
-- discount: discount already taken off the amount.
-- is_purchase: true for a completed order, false for a document that takes goods back; orders that fell through are left out.
SELECT
    s.customer_id,
    s.as_of,
    o.order_id,
    o.event_time,
    o.channel,
    o.campaign_id,
    coalesce(o.amount, 0.0) AS amount,
    coalesce(o.discount, 0.0) AS discount,
    o.status = 'completed' AS is_purchase
FROM spine AS s
INNER JOIN core.order_versions AS o
    ON o.customer_id = s.customer_id
    AND o.event_time < s.as_of
    AND o.known_time < s.as_of
    AND (o.superseded_at IS NULL OR o.superseded_at >= s.as_of)
WHERE NOT o.is_void
