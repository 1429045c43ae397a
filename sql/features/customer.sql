-- Everything known about a customer at a cut-off: all feature families side by side. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row; every feature uses only what was known before it.
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
SELECT
    s.customer_id,
    s.as_of,
    recency.last_order_at,
    recency.days_since_order,
    frequency.count_orders,
    frequency.count_order_days,
    frequency.is_repeat_buyer,
    value.total_amount,
    value.net_amount,
    value.mean_order_amount,
    value.sd_order_amount,
    value.max_order_amount,
    value.last_order_amount,
    rhythm.mean_gap_days,
    rhythm.sd_gap_days,
    rhythm.longest_gap_days,
    rhythm.last_gap_days,
    rhythm.regularity,
    rhythm.days_to_next_due,
    rhythm.overdue_ratio,
    trend.count_orders_30d,
    trend.count_orders_90d,
    trend.count_orders_180d,
    trend.count_orders_365d,
    trend.amount_30d,
    trend.amount_90d,
    trend.amount_180d,
    trend.amount_365d,
    trend.order_trend_30_90,
    trend.order_trend_90_180,
    trend.order_trend_90_365,
    trend.amount_trend_30_90,
    trend.amount_trend_90_180,
    trend.amount_trend_90_365,
    channel.count_channels,
    channel.main_channel,
    channel.main_channel_share,
    channel.channel_concentration,
    channel.last_channel,
    category.count_lines,
    category.count_products,
    category.repeat_product_share,
    category.count_categories,
    category.top_category,
    category.top_category_share,
    category.category_concentration,
    returns.count_returns,
    returns.returned_amount,
    returns.return_rate,
    returns.days_since_return,
    discounts.discount_amount,
    discounts.discount_rate,
    discounts.discounted_order_share,
    engagement.count_events,
    engagement.count_events_7d,
    engagement.count_events_30d,
    engagement.count_events_90d,
    engagement.count_views_90d,
    engagement.count_searches_90d,
    engagement.count_carts_90d,
    engagement.count_favourites_90d,
    engagement.count_logins_90d,
    engagement.count_supports_90d,
    engagement.count_socials_90d,
    engagement.dwell_seconds_90d,
    engagement.days_since_event,
    engagement.days_since_login,
    engagement.engagement_fade,
    campaign.count_sent,
    campaign.count_sent_90d,
    campaign.count_opens,
    campaign.count_clicks,
    campaign.open_rate,
    campaign.click_rate,
    campaign.days_since_sent,
    campaign.days_since_response,
    campaign.count_touch_orders,
    campaign.touch_orders_per_sent,
    campaign.count_campaign_orders,
    campaign.count_redemptions,
    tenure.days_since_signup,
    tenure.days_since_first_order,
    tenure.active_days
FROM spine AS s
LEFT JOIN features.recency AS recency ON recency.customer_id = s.customer_id AND recency.as_of = s.as_of
LEFT JOIN features.frequency AS frequency ON frequency.customer_id = s.customer_id AND frequency.as_of = s.as_of
LEFT JOIN features.value AS value ON value.customer_id = s.customer_id AND value.as_of = s.as_of
LEFT JOIN features.rhythm AS rhythm ON rhythm.customer_id = s.customer_id AND rhythm.as_of = s.as_of
LEFT JOIN features.trend AS trend ON trend.customer_id = s.customer_id AND trend.as_of = s.as_of
LEFT JOIN features.channel AS channel ON channel.customer_id = s.customer_id AND channel.as_of = s.as_of
LEFT JOIN features.category AS category ON category.customer_id = s.customer_id AND category.as_of = s.as_of
LEFT JOIN features.returns AS returns ON returns.customer_id = s.customer_id AND returns.as_of = s.as_of
LEFT JOIN features.discounts AS discounts ON discounts.customer_id = s.customer_id AND discounts.as_of = s.as_of
LEFT JOIN features.engagement AS engagement ON engagement.customer_id = s.customer_id AND engagement.as_of = s.as_of
LEFT JOIN features.campaign AS campaign ON campaign.customer_id = s.customer_id AND campaign.as_of = s.as_of
LEFT JOIN features.tenure AS tenure ON tenure.customer_id = s.customer_id AND tenure.as_of = s.as_of
