-- Customer 360: features, scores and segment of each customer at the newest cut-off of the spine, flat for BI. One row per customer.
-- owner: perennial
-- grain: customer_id
-- pii: name, email
-- customer_id: the customer.
-- as_of: cut-off of the features; the newest one that the spine has for the customer.
-- name: full name as known at the cut-off.
-- email: e-mail address as known at the cut-off.
-- gender: gender as the source codes it.
-- country: country of the customer.
-- city: city of the customer.
-- signup_channel: channel on which the customer signed up.
-- segment: named RFM segment among the customers of the cut-off; NULL without purchases.
-- rfm_score: digits of recency, frequency and monetary quintile, such as 545.
-- scores_as_of: cut-off of the newest churn score; NULL where the customer was never scored.
-- p_churn: probability of no purchase in the horizon of the newest churn score.
-- churn_horizon_days: days that this probability covers.
-- expected_value: expected net order value in the horizon of the newest value score.
-- value_horizon_days: days that this value covers.
-- next_purchase_days: median days from the newest scoring to the next purchase.
-- next_product_1: id of the likeliest next product.
-- next_product_1_name: name of that product.
-- next_product_1_probability: probability that the next purchase is that product.
-- next_product_2: id of the second likeliest next product.
-- next_product_2_name: name of that product.
-- next_product_3: id of the third likeliest next product.
-- next_product_3_name: name of that product.
-- last_order_at: when the newest purchase before the cut-off was made; NULL for none.
-- days_since_order: days from that purchase to the cut-off, with fractions; NULL for none.
-- count_orders: purchases before the cut-off.
-- count_order_days: different days (UTC) with a purchase; orders of one day are one visit.
-- is_repeat_buyer: whether the customer bought on more than one day.
-- total_amount: value of all purchases before the cut-off.
-- net_amount: the same less what came back.
-- mean_order_amount: mean value of a purchase; NULL for none.
-- sd_order_amount: standard deviation of the purchases' values; NULL for fewer than two.
-- max_order_amount: value of the largest purchase; NULL for none.
-- last_order_amount: value of the newest purchase, the larger one on a tie; NULL for none.
-- mean_gap_days: mean days between successive purchase days; NULL for fewer than two such days.
-- sd_gap_days: standard deviation of those gaps; NULL for fewer than two gaps.
-- longest_gap_days: longest of those gaps.
-- last_gap_days: gap before the newest purchase day.
-- regularity: 1 / (1 + sd_gap_days / mean_gap_days), 1 for perfectly even gaps; NULL for fewer than two gaps.
-- days_to_next_due: days from the cut-off until one mean gap after the newest purchase; negative when overdue.
-- overdue_ratio: days since the newest purchase over the mean gap; above 1 when overdue.
-- count_orders_30d: purchases in the 30 days before the cut-off.
-- count_orders_90d: purchases in the 90 days before the cut-off.
-- count_orders_180d: purchases in the 180 days before the cut-off.
-- count_orders_365d: purchases in the 365 days before the cut-off.
-- amount_30d: value of those purchases in the 30 days before the cut-off.
-- amount_90d: value of those purchases in the 90 days before the cut-off.
-- amount_180d: value of those purchases in the 180 days before the cut-off.
-- amount_365d: value of those purchases in the 365 days before the cut-off.
-- order_trend_30_90: purchases per day of the last 30 days over those of the last 90, 1 when steady; NULL without any in 90.
-- order_trend_90_180: purchases per day of the last 90 days over those of the last 180; NULL without any in 180.
-- order_trend_90_365: purchases per day of the last 90 days over those of the last 365; NULL without any in 365.
-- amount_trend_30_90: value per day of the last 30 days over that of the last 90; NULL without any in 90.
-- amount_trend_90_180: value per day of the last 90 days over that of the last 180; NULL without any in 180.
-- amount_trend_90_365: value per day of the last 90 days over that of the last 365; NULL without any in 365.
-- count_channels: different channels bought on.
-- main_channel: channel with most purchases, the first in the alphabet on a tie; NULL for none.
-- main_channel_share: share of the purchases made on it.
-- channel_concentration: sum of the squared shares of all channels, 1 when only one is used.
-- last_channel: channel of the newest purchase, the first in the alphabet on a tie.
-- count_lines: order lines bought before the cut-off.
-- count_products: different products among them.
-- repeat_product_share: share of the lines whose product the customer had already bought; NULL without lines.
-- count_categories: different categories among them; products without a category don't count.
-- top_category: category with most lines, the first in the alphabet on a tie; NULL for none.
-- top_category_share: share of that category in the lines that have one.
-- category_concentration: sum of the squared shares of all categories, 1 when only one is bought.
-- count_returns: documents before the cut-off that took goods back, returns and cancellations alike.
-- returned_amount: value that they took back, zero or positive.
-- return_rate: returned value over purchased value; NULL without purchases of any value.
-- days_since_return: days from the newest return to the cut-off; NULL for none.
-- discount_amount: discount taken off all purchases before the cut-off.
-- discount_rate: that discount over the value before discounts; NULL without purchases of any value.
-- discounted_order_share: share of the purchases that had a discount; NULL without purchases.
-- count_events: events of any type before the cut-off.
-- count_events_7d: events in the 7 days before the cut-off.
-- count_events_30d: events in the 30 days before the cut-off.
-- count_events_90d: events in the 90 days before the cut-off.
-- count_views_90d: product views in the 90 days before the cut-off.
-- count_searches_90d: searches in the 90 days before the cut-off.
-- count_carts_90d: products put into a cart in the 90 days before the cut-off.
-- count_favourites_90d: products marked as favourite in the 90 days before the cut-off.
-- count_logins_90d: logins in the 90 days before the cut-off.
-- count_supports_90d: contacts with support in the 90 days before the cut-off.
-- count_socials_90d: social events, such as shares and posts, in the 90 days before the cut-off.
-- dwell_seconds_90d: seconds spent on all events of the 90 days before the cut-off.
-- days_since_event: days from the newest event to the cut-off; NULL for none.
-- days_since_login: days from the newest login to the cut-off; NULL for none.
-- engagement_fade: events per day of the last 30 days over those of the 90 days before them; NULL without any in those 90.
-- count_sent: messages sent before the cut-off.
-- count_sent_90d: messages sent in the 90 days before the cut-off.
-- count_opens: messages opened.
-- count_clicks: messages clicked.
-- open_rate: opens per message sent; NULL for none sent.
-- click_rate: clicks per message sent; NULL for none sent.
-- days_since_sent: days from the newest message to the cut-off; NULL for none.
-- days_since_response: days from the newest open or click to the cut-off; NULL for none.
-- count_touch_orders: purchases made within 14 days after a message was sent.
-- touch_orders_per_sent: those purchases per message sent; NULL for none sent.
-- count_campaign_orders: purchases that the source credits to a campaign.
-- count_redemptions: coupons used.
-- days_since_signup: days from the sign-up, or from the first purchase where that was earlier; NULL for neither.
-- days_since_first_order: days from the first purchase to the cut-off; NULL for none.
-- active_days: days from the first to the newest purchase; NULL for none.
WITH
cutoffs AS (
    SELECT customer_id, max(as_of) AS as_of
    FROM spine
    GROUP BY customer_id
),

-- History of scores is kept, so each score is the one of the newest cut-off: the champion's, or else the one scored last; other
-- tasks have rows of their own.
churn AS (
    SELECT s.customer_id, s.as_of, s.p_churn, s.horizon_days
    FROM scores.churn AS s
    LEFT JOIN models.current_champions AS m ON m.task = s.task AND m.run_id = s.run_id
    WHERE s.task = 'churn'
    QUALIFY row_number() OVER (
        PARTITION BY s.customer_id ORDER BY s.as_of DESC, m.run_id IS NULL, s.scored_at DESC, s.run_id DESC
    ) = 1
),

clv AS (
    SELECT s.customer_id, s.expected_value, s.horizon_days
    FROM scores.clv AS s
    LEFT JOIN models.current_champions AS m ON m.task = s.task AND m.run_id = s.run_id
    WHERE s.task = 'clv'
    QUALIFY row_number() OVER (
        PARTITION BY s.customer_id ORDER BY s.as_of DESC, m.run_id IS NULL, s.scored_at DESC, s.run_id DESC
    ) = 1
),

next_time AS (
    SELECT s.customer_id, s.median_days
    FROM scores.next_purchase_time AS s
    LEFT JOIN models.current_champions AS m ON m.task = s.task AND m.run_id = s.run_id
    WHERE s.task = 'next_purchase'
    QUALIFY row_number() OVER (
        PARTITION BY s.customer_id ORDER BY s.as_of DESC, m.run_id IS NULL, s.scored_at DESC, s.run_id DESC
    ) = 1
),

-- All ranks of one scoring share the first place here, so that two scorings never mix.
next_ranks AS (
    SELECT s.customer_id, s.rank, s.product_id, s.probability
    FROM scores.next_purchase AS s
    LEFT JOIN models.current_champions AS m ON m.task = s.task AND m.run_id = s.run_id
    WHERE s.task = 'next_purchase'
    QUALIFY rank() OVER (
        PARTITION BY s.customer_id ORDER BY s.as_of DESC, m.run_id IS NULL, s.scored_at DESC, s.run_id DESC
    ) = 1
),

products AS (
    SELECT product_id, name
    FROM core.product_versions
    WHERE superseded_at IS NULL
),

next_products AS (
    SELECT
        n.customer_id,
        max(n.product_id) FILTER (WHERE n.rank = 1) AS next_product_1,
        max(p.name) FILTER (WHERE n.rank = 1) AS next_product_1_name,
        max(n.probability) FILTER (WHERE n.rank = 1) AS next_product_1_probability,
        max(n.product_id) FILTER (WHERE n.rank = 2) AS next_product_2,
        max(p.name) FILTER (WHERE n.rank = 2) AS next_product_2_name,
        max(n.product_id) FILTER (WHERE n.rank = 3) AS next_product_3,
        max(p.name) FILTER (WHERE n.rank = 3) AS next_product_3_name
    FROM next_ranks AS n
    LEFT JOIN products AS p ON p.product_id = n.product_id
    WHERE n.rank <= 3
    GROUP BY n.customer_id
)

SELECT
    f.customer_id,
    f.as_of,
    c.name,
    c.email,
    c.gender,
    c.country,
    c.city,
    c.signup_channel,
    r.segment,
    r.rfm_score,
    churn.as_of AS scores_as_of,
    churn.p_churn,
    churn.horizon_days AS churn_horizon_days,
    clv.expected_value,
    clv.horizon_days AS value_horizon_days,
    next_time.median_days AS next_purchase_days,
    n.next_product_1,
    n.next_product_1_name,
    n.next_product_1_probability,
    n.next_product_2,
    n.next_product_2_name,
    n.next_product_3,
    n.next_product_3_name,
    f.last_order_at,
    f.days_since_order,
    f.count_orders,
    f.count_order_days,
    f.is_repeat_buyer,
    f.total_amount,
    f.net_amount,
    f.mean_order_amount,
    f.sd_order_amount,
    f.max_order_amount,
    f.last_order_amount,
    f.mean_gap_days,
    f.sd_gap_days,
    f.longest_gap_days,
    f.last_gap_days,
    f.regularity,
    f.days_to_next_due,
    f.overdue_ratio,
    f.count_orders_30d,
    f.count_orders_90d,
    f.count_orders_180d,
    f.count_orders_365d,
    f.amount_30d,
    f.amount_90d,
    f.amount_180d,
    f.amount_365d,
    f.order_trend_30_90,
    f.order_trend_90_180,
    f.order_trend_90_365,
    f.amount_trend_30_90,
    f.amount_trend_90_180,
    f.amount_trend_90_365,
    f.count_channels,
    f.main_channel,
    f.main_channel_share,
    f.channel_concentration,
    f.last_channel,
    f.count_lines,
    f.count_products,
    f.repeat_product_share,
    f.count_categories,
    f.top_category,
    f.top_category_share,
    f.category_concentration,
    f.count_returns,
    f.returned_amount,
    f.return_rate,
    f.days_since_return,
    f.discount_amount,
    f.discount_rate,
    f.discounted_order_share,
    f.count_events,
    f.count_events_7d,
    f.count_events_30d,
    f.count_events_90d,
    f.count_views_90d,
    f.count_searches_90d,
    f.count_carts_90d,
    f.count_favourites_90d,
    f.count_logins_90d,
    f.count_supports_90d,
    f.count_socials_90d,
    f.dwell_seconds_90d,
    f.days_since_event,
    f.days_since_login,
    f.engagement_fade,
    f.count_sent,
    f.count_sent_90d,
    f.count_opens,
    f.count_clicks,
    f.open_rate,
    f.click_rate,
    f.days_since_sent,
    f.days_since_response,
    f.count_touch_orders,
    f.touch_orders_per_sent,
    f.count_campaign_orders,
    f.count_redemptions,
    f.days_since_signup,
    f.days_since_first_order,
    f.active_days
FROM features.customer AS f
INNER JOIN cutoffs ON cutoffs.customer_id = f.customer_id AND cutoffs.as_of = f.as_of
LEFT JOIN features.known_customers AS c ON c.customer_id = f.customer_id AND c.as_of = f.as_of
LEFT JOIN insights.rfm AS r ON r.customer_id = f.customer_id AND r.as_of = f.as_of
LEFT JOIN churn ON churn.customer_id = f.customer_id
LEFT JOIN clv ON clv.customer_id = f.customer_id
LEFT JOIN next_time ON next_time.customer_id = f.customer_id
LEFT JOIN next_products AS n ON n.customer_id = f.customer_id
