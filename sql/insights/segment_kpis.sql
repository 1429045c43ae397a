-- KPIs by segment: what the customers of each segment did in the month after the cut-off at which they were in it. One row
-- per cut-off, segmentation and segment. `--from 2024-01-01 --to 2024-12-01 --every month` gives calendar months; segments
-- are of what was known at their start. Sales are those of the newest version known, as in insights.monthly_kpis.
-- owner: perennial
-- grain: as_of, segmentation, segment
-- check: count_active_customers <= count_customers
-- check: range(active_share, 0, 1)
-- as_of: cut-off of the spine, the first instant of the month.
-- segmentation: rfm, lifecycle, value_tier or a behaviour, as in insights.segments.
-- segment: segment of it; others for guests and for customers who were not in the segmentation, such as new ones.
-- is_complete: whether the month was over when the data end.
-- count_customers: customers of the segment at the cut-off; of others those who bought.
-- count_active_customers: those who purchased in the month.
-- active_share: active over all; NULL for others.
-- count_orders: their purchases.
-- revenue: value of the purchases less what came back in the month, whenever it was bought.
-- revenue_share: share of the segmentation's revenue of the month; NULL where that is 0 or less.
-- mean_order_amount: mean value of a purchase; NULL for none.
-- revenue_per_customer: revenue over the customers; NULL for none.
-- return_rate: value that came back over the value purchased; NULL without purchases of any value.
WITH
cut_offs AS (
    SELECT DISTINCT as_of
    FROM spine
),

orders AS (
    SELECT
        c.as_of,
        o.customer_id,
        coalesce(o.amount, 0.0) AS amount,
        o.status = 'completed' AS is_purchase
    FROM core.order_versions AS o
    INNER JOIN cut_offs AS c ON o.event_time >= c.as_of AND o.event_time < c.as_of + INTERVAL '1 month'
    WHERE o.superseded_at IS NULL AND NOT o.is_void
),

-- Guests' orders add up to one row per month.
sold AS (
    SELECT
        as_of,
        customer_id,
        count(*) FILTER (WHERE is_purchase) AS count_orders,
        coalesce(sum(amount) FILTER (WHERE is_purchase), 0.0) AS purchased_amount,
        coalesce(-sum(amount) FILTER (WHERE NOT is_purchase), 0.0) AS returned_amount
    FROM orders
    GROUP BY as_of, customer_id
),

segments AS (
    SELECT customer_id, as_of, segmentation, segment
    FROM insights.segments
),

segmentations AS (
    SELECT DISTINCT as_of, segmentation
    FROM segments
),

members AS (
    SELECT
        s.as_of,
        s.segmentation,
        s.segment,
        s.customer_id,
        coalesce(o.count_orders, 0) AS count_orders,
        coalesce(o.purchased_amount, 0.0) AS purchased_amount,
        coalesce(o.returned_amount, 0.0) AS returned_amount
    FROM segments AS s
    LEFT JOIN sold AS o ON o.customer_id = s.customer_id AND o.as_of = s.as_of
    UNION ALL
    SELECT o.as_of, n.segmentation, 'others' AS segment, o.customer_id, o.count_orders, o.purchased_amount, o.returned_amount
    FROM sold AS o
    INNER JOIN segmentations AS n ON n.as_of = o.as_of
    LEFT ANTI JOIN segments AS s
        ON s.customer_id = o.customer_id
        AND s.as_of = o.as_of
        AND s.segmentation = n.segmentation
),

totals AS (
    SELECT
        as_of,
        segmentation,
        segment,
        count(*) FILTER (WHERE customer_id IS NOT NULL AND (segment <> 'others' OR count_orders > 0)) AS count_customers,
        count(*) FILTER (WHERE customer_id IS NOT NULL AND count_orders > 0) AS count_active_customers,
        sum(count_orders) AS count_orders,
        sum(purchased_amount) AS purchased_amount,
        sum(returned_amount) AS returned_amount
    FROM members
    GROUP BY as_of, segmentation, segment
),

shared AS (
    SELECT
        *,
        purchased_amount - returned_amount AS revenue,
        sum(purchased_amount - returned_amount) OVER (PARTITION BY as_of, segmentation) AS revenue_all
    FROM totals
)

SELECT
    s.as_of,
    s.segmentation,
    s.segment,
    s.as_of + INTERVAL '1 month' <= p.observed_until AS is_complete,
    s.count_customers,
    s.count_active_customers,
    CASE WHEN s.segment <> 'others' THEN s.count_active_customers / cast(s.count_customers AS DOUBLE) END AS active_share,
    s.count_orders,
    s.revenue,
    s.revenue / CASE WHEN s.revenue_all > 0.0 THEN s.revenue_all END AS revenue_share,
    s.purchased_amount / nullif(cast(s.count_orders AS DOUBLE), 0.0) AS mean_order_amount,
    s.revenue / nullif(cast(s.count_customers AS DOUBLE), 0.0) AS revenue_per_customer,
    s.returned_amount / CASE WHEN s.purchased_amount > 0.0 THEN s.purchased_amount END AS return_rate
FROM shared AS s
CROSS JOIN params AS p
