-- Returns: what a customer sends back. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: returned_amount >= 0
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- count_returns: documents before the cut-off that took goods back, returns and cancellations alike.
-- returned_amount: value that they took back, zero or positive.
-- return_rate: returned value over purchased value; NULL without purchases of any value.
-- days_since_return: days from the newest return to the cut-off; NULL for none.
WITH
returned AS (
    SELECT
        customer_id,
        as_of,
        count(*) FILTER (WHERE NOT is_purchase) AS count_returns,
        -sum(amount) FILTER (WHERE NOT is_purchase) AS returned_amount,
        sum(amount) FILTER (WHERE is_purchase) AS purchased_amount,
        max(event_time) FILTER (WHERE NOT is_purchase) AS last_return_at
    FROM features.known_orders
    GROUP BY customer_id, as_of
)

SELECT
    s.customer_id,
    s.as_of,
    coalesce(r.count_returns, 0) AS count_returns,
    coalesce(r.returned_amount, 0.0) AS returned_amount,
    coalesce(r.returned_amount, 0.0) / nullif(r.purchased_amount, 0.0) AS return_rate,
    date_part('epoch', s.as_of - r.last_return_at) / 86400.0 AS days_since_return
FROM spine AS s
LEFT JOIN returned AS r ON r.customer_id = s.customer_id AND r.as_of = s.as_of
