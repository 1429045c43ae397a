-- Monthly KPIs: what was sold to whom, and how visits ended, in the newest version known. One row per month and channel.
-- owner: perennial
-- grain: month, channel
-- check: abs(revenue - new_revenue - returning_revenue - guest_revenue) < 0.01
-- check: count_customers = count_new_customers + count_returning_customers
-- month: first instant (UTC) of the month.
-- channel: channel of the orders and sessions, unknown where they have none; all for all of them together.
-- is_complete: whether the month was over when the data end.
-- count_orders: purchases, guests' too.
-- revenue: value of the purchases less what came back in the month, whenever it was bought.
-- count_customers: different known customers who purchased.
-- count_new_customers: those whose first purchase ever, on any channel, was in the month.
-- count_returning_customers: the others.
-- new_revenue: part of the revenue from customers whose first purchase was in the month.
-- returning_revenue: part of all other known customers.
-- guest_revenue: part of orders without a customer.
-- mean_order_amount: mean value of a purchase; NULL for none.
-- orders_per_customer: purchases of known customers per customer; NULL for none.
-- return_rate: value that came back in the month over the value purchased in it; NULL without purchases of any value.
-- count_sessions: visits begun in the month; NULL, like the rates below, where there are none.
-- add_to_cart_rate: share of the sessions in which a product was put into the cart.
-- conversion_rate: share of the sessions that led to a purchase.
WITH
orders AS (
    SELECT
        customer_id,
        date_trunc('month', event_time) AS month,
        coalesce(channel, 'unknown') AS channel,
        event_time,
        coalesce(amount, 0.0) AS amount,
        status = 'completed' AS is_purchase
    FROM core.order_versions
    WHERE superseded_at IS NULL AND NOT is_void
),

firsts AS (
    SELECT customer_id, date_trunc('month', min(event_time)) AS first_month
    FROM orders
    WHERE is_purchase AND customer_id IS NOT NULL
    GROUP BY customer_id
),

classed AS (
    SELECT
        o.customer_id,
        o.month,
        o.channel,
        o.amount,
        o.is_purchase,
        o.customer_id IS NULL AS is_guest,
        f.first_month IS NOT DISTINCT FROM o.month AS is_new
    FROM orders AS o
    LEFT JOIN firsts AS f ON f.customer_id = o.customer_id
),

-- A customer who buys on two channels counts once among all.
doubled AS (
    SELECT customer_id, month, channel, amount, is_purchase, is_guest, is_new
    FROM classed
    UNION ALL
    SELECT customer_id, month, 'all' AS channel, amount, is_purchase, is_guest, is_new
    FROM classed
),

sold AS (
    SELECT
        month,
        channel,
        count(*) FILTER (WHERE is_purchase) AS count_orders,
        sum(amount) AS revenue,
        count(DISTINCT CASE WHEN is_purchase THEN customer_id END) AS count_customers,
        count(DISTINCT CASE WHEN is_purchase AND is_new THEN customer_id END) AS count_new_customers,
        coalesce(sum(amount) FILTER (WHERE is_new), 0.0) AS new_revenue,
        coalesce(sum(amount) FILTER (WHERE NOT is_new AND NOT is_guest), 0.0) AS returning_revenue,
        coalesce(sum(amount) FILTER (WHERE is_guest), 0.0) AS guest_revenue,
        avg(amount) FILTER (WHERE is_purchase) AS mean_order_amount,
        count(*) FILTER (WHERE is_purchase AND NOT is_guest) AS count_customer_orders,
        coalesce(sum(amount) FILTER (WHERE is_purchase), 0.0) AS purchased_amount,
        coalesce(-sum(amount) FILTER (WHERE NOT is_purchase), 0.0) AS returned_amount
    FROM doubled
    GROUP BY month, channel
),

sessions AS (
    SELECT date_trunc('month', started_at) AS month, coalesce(channel, 'unknown') AS channel, is_carted, is_bought
    FROM insights.sessions
),

visited_by_channel AS (
    SELECT
        month,
        channel,
        count(*) AS count_sessions,
        count(*) FILTER (WHERE is_carted) AS count_carted,
        count(*) FILTER (WHERE is_bought) AS count_bought
    FROM sessions
    GROUP BY month, channel
),

visited AS (
    SELECT month, channel, count_sessions, count_carted, count_bought
    FROM visited_by_channel
    UNION ALL
    SELECT
        month,
        'all' AS channel,
        sum(count_sessions) AS count_sessions,
        sum(count_carted) AS count_carted,
        sum(count_bought) AS count_bought
    FROM visited_by_channel
    GROUP BY month
),

joined AS (
    SELECT
        coalesce(s.month, v.month) AS month,
        coalesce(s.channel, v.channel) AS channel,
        coalesce(s.count_orders, 0) AS count_orders,
        coalesce(s.revenue, 0.0) AS revenue,
        coalesce(s.count_customers, 0) AS count_customers,
        coalesce(s.count_new_customers, 0) AS count_new_customers,
        coalesce(s.new_revenue, 0.0) AS new_revenue,
        coalesce(s.returning_revenue, 0.0) AS returning_revenue,
        coalesce(s.guest_revenue, 0.0) AS guest_revenue,
        s.mean_order_amount,
        s.count_customer_orders,
        s.purchased_amount,
        s.returned_amount,
        v.count_sessions,
        v.count_carted,
        v.count_bought
    FROM sold AS s
    FULL JOIN visited AS v ON v.month = s.month AND v.channel = s.channel
)

SELECT
    j.month,
    j.channel,
    j.month + INTERVAL '1 month' <= p.observed_until AS is_complete,
    j.count_orders,
    j.revenue,
    j.count_customers,
    j.count_new_customers,
    j.count_customers - j.count_new_customers AS count_returning_customers,
    j.new_revenue,
    j.returning_revenue,
    j.guest_revenue,
    j.mean_order_amount,
    j.count_customer_orders / nullif(cast(j.count_customers AS DOUBLE), 0.0) AS orders_per_customer,
    j.returned_amount / CASE WHEN j.purchased_amount > 0.0 THEN j.purchased_amount END AS return_rate,
    j.count_sessions,
    j.count_carted / cast(j.count_sessions AS DOUBLE) AS add_to_cart_rate,
    j.count_bought / cast(j.count_sessions AS DOUBLE) AS conversion_rate
FROM joined AS j
CROSS JOIN params AS p
