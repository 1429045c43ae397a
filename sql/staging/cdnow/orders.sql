-- CDNOW purchases: every transaction of the file is an order, also the few worth nothing; the data have no products.
-- owner: perennial
-- grain: order_id
-- order_id: customer, day and the number of the transaction on that day, so that loading a file again repeats the ids.
-- customer_id: customer_id without leading zeros.
-- event_time: the day of the purchase; the data have no time of day.
-- known_time: when the row was loaded, or the purchase for a historical load.
-- channel: always web.
-- status: always completed.
-- currency: always USD.
-- amount: dollar_value.
-- discount: always 0.
WITH
transactions AS (
    SELECT
        cast(cast(customer_id AS BIGINT) AS VARCHAR) AS customer_id,
        cast("date" AS VARCHAR) AS ordered_on,
        cast(dollar_value AS DOUBLE) AS amount,
        _file,
        _row,
        _loaded_at
    FROM raw.cdnow_transactions
),

numbered AS (
    SELECT
        *,
        cast(to_date(ordered_on, '%Y%m%d') AS TIMESTAMP) AS event_time,
        row_number() OVER (PARTITION BY customer_id, ordered_on ORDER BY _file, _row) AS order_number
    FROM transactions
)

SELECT
    concat(customer_id, '-', ordered_on, '-', order_number) AS order_id,
    customer_id,
    event_time,
    coalesce(_loaded_at, event_time) AS known_time,
    'web' AS channel,
    'completed' AS status,
    'USD' AS currency,
    amount,
    0.0 AS discount
FROM numbered
