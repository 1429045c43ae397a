-- Coupons: how far each was used and what it sold, in the newest version known. One row per coupon.
-- owner: perennial
-- grain: coupon_id
-- check: count_customers <= count_redemptions
-- check: count_orders <= count_redemptions
-- coupon_id: coupon, of the coupons' own table or only of redemptions.
-- campaign_id: campaign that handed it out, the first in the alphabet of several; NULL where the source does not say.
-- count_products: products that it is good for.
-- count_redemptions: uses.
-- count_customers: different customers who used it.
-- count_orders: different purchases on which it was used and which count. Where the source names no order it is taken to be
-- the customer's largest purchase of that day (UTC); a use without any sold nothing.
-- revenue: value of those purchases, all their lines; an order with two coupons counts for both.
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

sold AS (
    SELECT c.coupon_id, count(*) AS count_orders, sum(o.amount) AS revenue
    FROM coupon_orders AS c
    INNER JOIN orders AS o ON o.order_id = c.order_id
    GROUP BY c.coupon_id
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
    j.count_redemptions,
    j.count_customers,
    coalesce(s.count_orders, 0) AS count_orders,
    coalesce(s.revenue, 0.0) AS revenue,
    j.first_redeemed_at,
    j.last_redeemed_at
FROM joined AS j
LEFT JOIN sold AS s ON s.coupon_id = j.coupon_id
