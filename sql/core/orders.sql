-- Orders and return documents: one row per version of an order; the newest known version counts.
-- owner: perennial
-- grain: order_id, known_time
-- key: order_id
-- check: accepted(status, completed, returned, cancelled)
-- check: status <> 'returned' or amount <= 0
-- check: not_null(status, amount) severity warn
-- check: unique(order_id) severity warn
-- check: references(customer_id, core.customers.customer_id) where exists (SELECT 1 FROM core.customers LIMIT 1) severity warn
-- order_id: id of the order, or of the document that returns goods.
-- customer_id: who ordered; NULL for a guest or an unknown customer.
-- event_time: when the order was placed or the goods came back.
-- known_time: when the company could have known this version.
-- channel: channel of the order, such as web, app, store or phone.
-- store_id: shop in which it happened; NULL outside shops.
-- status: completed (a purchase), returned (a return document) or cancelled (an order that fell through, or the document that takes it back).
-- currency: ISO 4217 code of the amounts.
-- amount: net value of the order after discounts; negative for a document that takes goods back.
-- discount: discount already taken off the amount; negative where a return gives it back.
-- campaign_id: campaign that the source credits with the order.
CREATE TABLE core.orders (
    order_id VARCHAR,
    customer_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP,
    channel VARCHAR,
    store_id VARCHAR,
    status VARCHAR,
    currency VARCHAR,
    amount DOUBLE,
    discount DOUBLE,
    campaign_id VARCHAR
)
