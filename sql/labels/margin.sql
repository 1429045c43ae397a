-- Margin label: what a customer's purchases in the horizon leave after what their pieces cost. One row per customer and cut-off.
-- Lines of products whose cost is unknown leave nothing here: uncosted_value says how much they came to. The discount rate is
-- 10 % a year; a view of one's own at this path sets another.
-- owner: perennial
-- grain: customer_id, as_of
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- margin: net value of all lines in the horizon whose product's cost is known, less that cost; lines of returns count against it. NULL where the horizon is incomplete.
-- discounted_margin: the same in money of the cut-off: each line worth less by the discount rate for the time until then.
-- uncosted_value: net value of the lines whose product's cost is unknown.
WITH
rates AS (
    SELECT 0.10 AS yearly
),

costs AS (
    SELECT product_id, cost
    FROM core.product_versions
    WHERE superseded_at IS NULL
),

lines AS (
    SELECT
        o.customer_id,
        o.as_of,
        coalesce(l.amount, 0.0) AS amount,
        l.quantity * c.cost AS cost,
        power(1.0 + r.yearly, -date_part('epoch', o.event_time - o.as_of) / (365.0 * 86400.0)) AS discount
    FROM labels.horizon_orders AS o
    INNER JOIN core.line_versions AS l ON l.customer_id = o.customer_id AND l.order_id = o.order_id
    LEFT JOIN costs AS c ON c.product_id = l.product_id
    CROSS JOIN rates AS r
    WHERE l.superseded_at IS NULL
),

margins AS (
    SELECT
        customer_id,
        as_of,
        sum(amount - cost) AS margin,
        sum((amount - cost) * discount) AS discounted_margin,
        sum(amount) FILTER (WHERE cost IS NULL) AS uncosted_value
    FROM lines
    GROUP BY customer_id, as_of
)

SELECT
    h.customer_id,
    h.as_of,
    CASE WHEN h.is_complete THEN coalesce(m.margin, 0.0) END AS margin,
    CASE WHEN h.is_complete THEN coalesce(m.discounted_margin, 0.0) END AS discounted_margin,
    CASE WHEN h.is_complete THEN coalesce(m.uncosted_value, 0.0) END AS uncosted_value
FROM labels.horizon AS h
LEFT JOIN margins AS m ON m.customer_id = h.customer_id AND m.as_of = h.as_of
