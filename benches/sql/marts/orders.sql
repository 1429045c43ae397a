-- The bench's orders for BI, as they are.
-- owner: perennial
-- grain: order_id
-- order_id: number of the order.
-- customer_id: who ordered.
-- event_time: when.
-- known_time: the same.
-- channel: one of four.
-- store_id: none.
-- status: completed.
-- currency: EUR.
-- amount: value.
-- discount: none.
-- campaign_id: none.
SELECT
    order_id,
    customer_id,
    event_time,
    known_time,
    channel,
    store_id,
    status,
    currency,
    amount,
    discount,
    campaign_id
FROM core.orders
