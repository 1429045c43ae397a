-- KPIs by segment: what the customers of each segment did in the month after the cut-off at which they were in it. One row
-- per cut-off, segmentation and segment. `--from 2024-01-01 --to 2024-12-01 --every month` gives calendar months; segments
-- are of what was known at their start. Sales are those of the newest version known, as in insights.monthly_kpis.
-- owner: perennial
-- grain: as_of, segmentation, segment
-- check: count_active_customers <= count_customers
-- check: range(active_share, 0, 1)
-- check: range(conversion_rate, 0, 1)
-- check: range(nps, -100, 100)
-- check: count_active_customers = count_new_customers + count_returning_customers
-- as_of: cut-off of the spine, the first instant of the month.
-- segmentation: rfm, lifecycle, value_tier, loyalty_tier, scenario, a behaviour or an attribute such as country, as in insights.segments.
-- segment: segment of it; others for guests and for customers who were not in the segmentation, such as new ones.
-- is_complete: whether the month was over when the data end.
-- count_customers: customers of the segment at the cut-off; of others those who bought.
-- count_active_customers: those who purchased in the month.
-- active_share: active over all; NULL for others.
-- count_new_customers: those of the active whose first purchase ever was in the month.
-- count_returning_customers: the other active ones.
-- count_orders: their purchases.
-- revenue: value of the purchases less what came back in the month, whenever it was bought.
-- new_revenue: part of the revenue from customers whose first purchase was in the month.
-- returning_revenue: part of all other known customers; what is in neither is of guests.
-- revenue_share: share of the segmentation's revenue of the month; NULL where that is 0 or less.
-- mean_order_amount: mean value of a purchase; NULL for none.
-- revenue_per_customer: revenue over the customers; NULL for none.
-- return_rate: value that came back over the value purchased; NULL without purchases of any value.
-- count_sessions: visits that they began in the month, as in insights.sessions.
-- add_to_cart_rate: share of the visits in which a product was put into the cart; NULL without visits.
-- conversion_rate: share of the visits that led to a purchase; NULL without visits.
-- count_nps: answers of kind nps from 0 to 10 that they gave in the month.
-- nps: 100 times the share of promoters (9 and 10) less that of detractors (0 to 6); NULL without answers.
WITH
cut_offs AS (
    SELECT DISTINCT as_of
    FROM spine
),

firsts AS (
    SELECT customer_id, first_at
    FROM insights.first_segments
    WHERE segmentation = 'all'
),

orders AS (
    SELECT
        c.as_of,
        o.customer_id,
        coalesce(o.amount, 0.0) AS amount,
        o.status = 'completed' AS is_purchase,
        coalesce(f.first_at >= c.as_of, false) AS is_new
    FROM core.order_versions AS o
    INNER JOIN cut_offs AS c ON o.event_time >= c.as_of AND o.event_time < c.as_of + INTERVAL '1 month'
    LEFT JOIN firsts AS f ON f.customer_id = o.customer_id
    WHERE o.superseded_at IS NULL AND NOT o.is_void
),

-- Guests' orders add up to one row per month.
sold AS (
    SELECT
        as_of,
        customer_id,
        count(*) FILTER (WHERE is_purchase) AS count_orders,
        count(*) FILTER (WHERE is_purchase AND is_new) AS count_new_orders,
        coalesce(sum(amount) FILTER (WHERE is_new), 0.0) AS new_revenue,
        coalesce(sum(amount) FILTER (WHERE is_purchase), 0.0) AS purchased_amount,
        coalesce(-sum(amount) FILTER (WHERE NOT is_purchase), 0.0) AS returned_amount
    FROM orders
    GROUP BY as_of, customer_id
),

visited AS (
    SELECT
        c.as_of,
        s.customer_id,
        count(*) AS count_sessions,
        count(*) FILTER (WHERE s.is_carted) AS count_carted,
        count(*) FILTER (WHERE s.is_bought) AS count_bought
    FROM insights.sessions AS s
    INNER JOIN cut_offs AS c ON s.started_at >= c.as_of AND s.started_at < c.as_of + INTERVAL '1 month'
    GROUP BY c.as_of, s.customer_id
),

answers AS (
    SELECT customer_id, event_time, kind, score
    FROM core.feedback_versions
    WHERE superseded_at IS NULL
),

answered AS (
    SELECT
        c.as_of,
        a.customer_id,
        count(*) AS count_nps,
        count(*) FILTER (WHERE a.score BETWEEN 9 AND 10) AS count_promoters,
        count(*) FILTER (WHERE a.score BETWEEN 0 AND 6) AS count_detractors
    FROM answers AS a
    INNER JOIN cut_offs AS c ON a.event_time >= c.as_of AND a.event_time < c.as_of + INTERVAL '1 month'
    WHERE a.kind = 'nps' AND a.score BETWEEN 0 AND 10
    GROUP BY c.as_of, a.customer_id
),

-- Whoever did anything in the month.
seen AS (
    SELECT as_of, customer_id FROM sold
    UNION
    SELECT as_of, customer_id FROM visited
    UNION
    SELECT as_of, customer_id FROM answered
),

done AS (
    SELECT
        n.as_of,
        n.customer_id,
        coalesce(o.count_orders, 0) AS count_orders,
        coalesce(o.count_new_orders, 0) AS count_new_orders,
        coalesce(o.new_revenue, 0.0) AS new_revenue,
        coalesce(o.purchased_amount, 0.0) AS purchased_amount,
        coalesce(o.returned_amount, 0.0) AS returned_amount,
        coalesce(v.count_sessions, 0) AS count_sessions,
        coalesce(v.count_carted, 0) AS count_carted,
        coalesce(v.count_bought, 0) AS count_bought,
        coalesce(a.count_nps, 0) AS count_nps,
        coalesce(a.count_promoters - a.count_detractors, 0) AS count_net_promoters
    FROM seen AS n
    LEFT JOIN sold AS o ON o.as_of = n.as_of AND o.customer_id IS NOT DISTINCT FROM n.customer_id
    LEFT JOIN visited AS v ON v.as_of = n.as_of AND v.customer_id IS NOT DISTINCT FROM n.customer_id
    LEFT JOIN answered AS a ON a.as_of = n.as_of AND a.customer_id IS NOT DISTINCT FROM n.customer_id
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
    SELECT s.segmentation, s.segment, s.as_of, s.customer_id, d.* EXCLUDE (as_of, customer_id)
    FROM segments AS s
    LEFT JOIN done AS d ON d.customer_id = s.customer_id AND d.as_of = s.as_of
    UNION ALL
    SELECT n.segmentation, 'others' AS segment, d.*
    FROM done AS d
    INNER JOIN segmentations AS n ON n.as_of = d.as_of
    LEFT ANTI JOIN segments AS s
        ON s.customer_id = d.customer_id
        AND s.as_of = d.as_of
        AND s.segmentation = n.segmentation
),

totals AS (
    SELECT
        as_of,
        segmentation,
        segment,
        count(*) FILTER (WHERE customer_id IS NOT NULL AND (segment <> 'others' OR count_orders > 0)) AS count_customers,
        count(*) FILTER (WHERE customer_id IS NOT NULL AND count_orders > 0) AS count_active_customers,
        count(*) FILTER (WHERE customer_id IS NOT NULL AND count_new_orders > 0) AS count_new_customers,
        coalesce(sum(count_orders), 0) AS count_orders,
        coalesce(sum(new_revenue), 0.0) AS new_revenue,
        coalesce(sum(purchased_amount - returned_amount) FILTER (WHERE customer_id IS NOT NULL), 0.0) AS known_revenue,
        coalesce(sum(purchased_amount), 0.0) AS purchased_amount,
        coalesce(sum(returned_amount), 0.0) AS returned_amount,
        coalesce(sum(count_sessions), 0) AS count_sessions,
        sum(count_carted) AS count_carted,
        sum(count_bought) AS count_bought,
        coalesce(sum(count_nps), 0) AS count_nps,
        sum(count_net_promoters) AS count_net_promoters
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
    s.count_new_customers,
    s.count_active_customers - s.count_new_customers AS count_returning_customers,
    s.count_orders,
    s.revenue,
    s.new_revenue,
    s.known_revenue - s.new_revenue AS returning_revenue,
    s.revenue / CASE WHEN s.revenue_all > 0.0 THEN s.revenue_all END AS revenue_share,
    s.purchased_amount / nullif(cast(s.count_orders AS DOUBLE), 0.0) AS mean_order_amount,
    s.revenue / nullif(cast(s.count_customers AS DOUBLE), 0.0) AS revenue_per_customer,
    s.returned_amount / CASE WHEN s.purchased_amount > 0.0 THEN s.purchased_amount END AS return_rate,
    s.count_sessions,
    s.count_carted / nullif(cast(s.count_sessions AS DOUBLE), 0.0) AS add_to_cart_rate,
    s.count_bought / nullif(cast(s.count_sessions AS DOUBLE), 0.0) AS conversion_rate,
    s.count_nps,
    100.0 * s.count_net_promoters / nullif(cast(s.count_nps AS DOUBLE), 0.0) AS nps
FROM shared AS s
CROSS JOIN params AS p
