-- The attribution bench's touches, made of rows like its orders.
-- owner: perennial
-- driver: raw.contacts_messages
-- grain: touch_id
-- touch_id: number of the message.
-- customer_id: who was reached.
-- event_time: when.
-- known_time: the same.
-- campaign_id: one of some.
-- channel: one of four.
-- kind: sent.
-- cost: none.
SELECT
    order_id AS touch_id,
    customer_id,
    event_time,
    event_time AS known_time,
    concat('campaign ', cast(product_id AS BIGINT) % 24) AS campaign_id,
    channel,
    'sent' AS kind,
    cast(NULL AS DOUBLE) AS cost
FROM raw.contacts_messages
