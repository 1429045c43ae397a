-- Coupons and the products they are good for: one row per version of a coupon and product; the newest known version counts.
-- owner: perennial
-- grain: coupon_id, product_id, known_time
-- key: coupon_id, product_id
-- check: value >= 0
-- check: references(campaign_id, core.campaigns.campaign_id) severity warn
-- coupon_id: id of the coupon.
-- event_time: from when the coupon is valid.
-- known_time: when the company could have known it.
-- campaign_id: campaign that handed it out.
-- product_id: product that it is good for.
-- value: money off per use; NULL where the source does not say.
CREATE TABLE core.coupons (
    coupon_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP,
    campaign_id VARCHAR,
    product_id VARCHAR,
    value DOUBLE
)
