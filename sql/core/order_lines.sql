-- Lines of orders and of return documents: one row per version of a line; the newest known version counts.
-- owner: perennial
-- grain: order_id, line_id, known_time
-- key: order_id, line_id
-- check: is_return or amount >= 0
-- check: not is_return or amount <= 0
-- check: not_null(product_id, amount) severity warn
-- check: unique(order_id, line_id) severity warn
-- check: references(order_id, core.orders.order_id) severity warn
-- check: references(product_id, core.products.product_id) where exists (SELECT 1 FROM core.products LIMIT 1) severity warn
-- check: sum_equals(amount, core.orders.amount by order_id, 0.01) severity warn
-- order_id: order or return document that the line belongs to.
-- line_id: id of the line within its order.
-- customer_id: who ordered; NULL for a guest or an unknown customer.
-- event_time: when the order was placed or the goods came back.
-- known_time: when the company could have known this version.
-- product_id: what was bought or returned.
-- channel: channel of the order.
-- quantity: pieces, negative where goods came back.
-- unit_price: price of one piece before discounts.
-- amount: net value of the line after its discount; negative for a return.
-- discount: discount already taken off the amount; negative where a return gives it back.
-- is_return: whether goods came back.
CREATE TABLE core.order_lines (
    order_id VARCHAR,
    line_id VARCHAR,
    customer_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP,
    product_id VARCHAR,
    channel VARCHAR,
    quantity DOUBLE,
    unit_price DOUBLE,
    amount DOUBLE,
    discount DOUBLE,
    is_return BOOLEAN
)
