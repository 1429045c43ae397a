-- Complete Journey baskets: one order per basket of the transaction sample, which has only some lines of each.
-- owner: perennial
-- grain: order_id
-- order_id: basket_id.
-- customer_id: household_id.
-- event_time: when the basket was paid.
-- known_time: when the rows were loaded, or the payment for a historical load.
-- channel: always store.
-- store_id: store_id.
-- status: always completed.
-- currency: always USD.
-- amount: sum of sales_value over the sampled lines, in whole cents.
-- discount: sum of all discounts on those lines, in whole cents.
SELECT
    basket_id AS order_id,
    max(household_id) AS customer_id,
    min(cast(transaction_timestamp AS TIMESTAMP)) AS event_time,
    coalesce(max(_loaded_at), min(cast(transaction_timestamp AS TIMESTAMP))) AS known_time,
    'store' AS channel,
    max(store_id) AS store_id,
    'completed' AS status,
    'USD' AS currency,
    round(sum(sales_value), 2) AS amount,
    round(sum(retail_disc + coupon_disc + coupon_match_disc), 2) AS discount
FROM raw.journey_transactions
GROUP BY basket_id
