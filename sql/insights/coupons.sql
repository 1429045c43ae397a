-- Coupons: how far each was used and what it sold, in the newest version known. One row per coupon.
-- owner: perennial
-- grain: coupon_id
-- check: count_customers <= count_redemptions
-- check: count_orders <= count_redemptions
-- coupon_id: coupon, of the coupons' own table or only of redemptions.
-- campaign_id: campaign that handed it out, the first in the alphabet of several; NULL where the source does not say.
-- count_products: products that it is good for.
-- count_issued: different customers whom that campaign reached, who got the coupon with it; NULL where no touch says so.
-- count_redemptions: uses.
-- count_customers: different customers who used it.
-- count_orders: different purchases on which it was used and which count. Where the source names no order it is taken to be
-- the customer's largest purchase of that day (UTC); a use without any sold nothing.
-- redemption_rate: customers who used it over those who got it; above 1 where it was passed on.
-- revenue: value of those purchases, all their lines; an order with two coupons counts for both.
-- basket_lift: that over what purchases of the same customers are worth on which no coupon was used; not what the coupon
-- caused, as a large basket finds more of them. NULL where there are none.
-- first_redeemed_at: first use; NULL for none.
-- last_redeemed_at: newest use.
WITH
coupons AS (
    SELECT coupon_id, campaign_id, product_id
    FROM core.coupons
    QUALIFY row_number() OVER (PARTITION BY coupon_id, product_id ORDER BY known_time DESC, event_time DESC, campaign_id) = 1
),

issued AS (
    SELECT coupon_id, min(campaign_id) AS campaign_id, count(DISTINCT product_id) AS count_products
    FROM coupons
    GROUP BY coupon_id
),

redemptions AS (
    SELECT redemption_id, customer_id, coupon_id, order_id, campaign_id, event_time
    FROM core.redemption_versions
    WHERE superseded_at IS NULL AND coupon_id IS NOT NULL
),

used AS (
    SELECT
        coupon_id,
        min(campaign_id) AS campaign_id,
        count(*) AS count_redemptions,
        count(DISTINCT customer_id) AS count_customers,
        min(event_time) AS first_redeemed_at,
        max(event_time) AS last_redeemed_at
    FROM redemptions
    GROUP BY coupon_id
),

orders AS (
    SELECT order_id, customer_id, event_time, coalesce(amount, 0.0) AS amount
    FROM core.order_versions
    WHERE superseded_at IS NULL AND status = 'completed'
),

largest_orders AS (
    SELECT customer_id, cast(event_time AS DATE) AS ordered_on, first_value(order_id ORDER BY amount DESC, order_id) AS order_id
    FROM orders
    WHERE customer_id IS NOT NULL
    GROUP BY customer_id, cast(event_time AS DATE)
),

coupon_orders AS (
    SELECT DISTINCT r.coupon_id, coalesce(r.order_id, l.order_id) AS order_id
    FROM redemptions AS r
    LEFT JOIN largest_orders AS l ON l.customer_id = r.customer_id AND l.ordered_on = cast(r.event_time AS DATE)
),

without_coupon AS (
    SELECT o.customer_id, avg(o.amount) AS usual_amount
    FROM orders AS o
    LEFT ANTI JOIN coupon_orders AS c ON c.order_id = o.order_id
    WHERE o.customer_id IS NOT NULL
    GROUP BY o.customer_id
),

sold AS (
    SELECT
        c.coupon_id,
        count(*) AS count_orders,
        sum(o.amount) AS revenue,
        sum(o.amount) FILTER (WHERE w.usual_amount IS NOT NULL) / nullif(sum(w.usual_amount), 0.0) AS basket_lift
    FROM coupon_orders AS c
    INNER JOIN orders AS o ON o.order_id = c.order_id
    LEFT JOIN without_coupon AS w ON w.customer_id = o.customer_id
    GROUP BY c.coupon_id
),

reached AS (
    SELECT campaign_id, count(DISTINCT customer_id) AS count_issued
    FROM core.touch_versions
    WHERE superseded_at IS NULL
    GROUP BY campaign_id
),

joined AS (
    SELECT
        coalesce(i.coupon_id, u.coupon_id) AS coupon_id,
        coalesce(i.campaign_id, u.campaign_id) AS campaign_id,
        coalesce(i.count_products, 0) AS count_products,
        coalesce(u.count_redemptions, 0) AS count_redemptions,
        coalesce(u.count_customers, 0) AS count_customers,
        u.first_redeemed_at,
        u.last_redeemed_at
    FROM issued AS i
    FULL JOIN used AS u ON u.coupon_id = i.coupon_id
)

SELECT
    j.coupon_id,
    j.campaign_id,
    j.count_products,
    r.count_issued,
    j.count_redemptions,
    j.count_customers,
    coalesce(s.count_orders, 0) AS count_orders,
    cast(j.count_customers AS DOUBLE) / nullif(r.count_issued, 0) AS redemption_rate,
    coalesce(s.revenue, 0.0) AS revenue,
    s.basket_lift,
    j.first_redeemed_at,
    j.last_redeemed_at
FROM joined AS j
LEFT JOIN sold AS s ON s.coupon_id = j.coupon_id
LEFT JOIN reached AS r ON r.campaign_id = j.campaign_id
