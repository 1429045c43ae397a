-- Complete Journey lines: one per product of a basket in the transaction sample.
-- owner: perennial
-- grain: order_id, line_id
-- order_id: basket_id.
-- line_id: product_id, which a basket has once.
-- customer_id: household_id.
-- event_time: when the basket was paid.
-- known_time: when the rows were loaded, or the payment for a historical load.
-- product_id: product_id.
-- channel: always store.
-- quantity: pieces; 0 for corrections at the till.
-- unit_price: shelf price of one piece, before loyalty and coupon discounts; NULL for a quantity of 0.
-- amount: sales_value, what the shop received.
-- discount: loyalty card, coupon and matched coupon discounts together.
-- is_return: always false.
SELECT
    basket_id AS order_id,
    product_id AS line_id,
    household_id AS customer_id,
    cast(transaction_timestamp AS TIMESTAMP) AS event_time,
    coalesce(_loaded_at, cast(transaction_timestamp AS TIMESTAMP)) AS known_time,
    product_id,
    'store' AS channel,
    quantity,
    (sales_value + retail_disc + coupon_match_disc) / nullif(quantity, 0.0) AS unit_price,
    sales_value AS amount,
    retail_disc + coupon_disc + coupon_match_disc AS discount,
    false AS is_return
FROM raw.journey_transactions
