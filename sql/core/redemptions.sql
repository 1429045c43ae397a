-- Coupons that customers used: one row per version of a use; the newest known version counts.
-- owner: perennial
-- grain: redemption_id, known_time
-- key: redemption_id
-- check: references(coupon_id, core.coupons.coupon_id) severity warn
-- check: references(campaign_id, core.campaigns.campaign_id) severity warn
-- redemption_id: id of the use.
-- customer_id: who used the coupon.
-- event_time: when it was used.
-- known_time: when the company could have known it.
-- coupon_id: coupon used.
-- order_id: order on which it was used; NULL where the source does not say.
-- campaign_id: campaign that handed the coupon out.
CREATE TABLE core.redemptions (
    redemption_id VARCHAR,
    customer_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP,
    coupon_id VARCHAR,
    order_id VARCHAR,
    campaign_id VARCHAR
)
