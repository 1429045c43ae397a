-- Next-purchase label: when a customer bought next in the horizon, and what. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: days_to_next >= 0
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- next_at: when the first purchase of some value in the horizon was made; NULL for none or an incomplete horizon.
-- days_to_next: days from the cut-off to it, with fractions.
-- product_id: product of that purchase's largest line by value, the first id on a tie; NULL for an order without lines.
-- category: category of that product as known at the snapshot.
-- is_complete: whether the whole horizon was observed; where it is, a NULL next_at means that nothing was bought.
WITH
first_orders AS (
    SELECT
        customer_id,
        as_of,
        min(event_time) AS next_at,
        first_value(order_id ORDER BY event_time, order_id) AS order_id
    FROM labels.horizon_orders
    WHERE is_purchase
    GROUP BY customer_id, as_of
),

largest_lines AS (
    SELECT
        customer_id,
        order_id,
        first_value(product_id ORDER BY amount DESC, product_id) AS product_id
    FROM core.line_versions
    WHERE superseded_at IS NULL AND product_id IS NOT NULL AND NOT is_return
    GROUP BY customer_id, order_id
),

products AS (
    SELECT product_id, category
    FROM core.product_versions
    WHERE superseded_at IS NULL
)

SELECT
    h.customer_id,
    h.as_of,
    o.next_at,
    date_part('epoch', o.next_at - h.as_of) / 86400.0 AS days_to_next,
    l.product_id,
    p.category,
    h.is_complete
FROM labels.horizon AS h
LEFT JOIN first_orders AS o ON o.customer_id = h.customer_id AND o.as_of = h.as_of
LEFT JOIN largest_lines AS l ON l.customer_id = o.customer_id AND l.order_id = o.order_id
LEFT JOIN products AS p ON p.product_id = l.product_id
