-- Complete Journey coupons: one row per coupon, campaign and product that it is good for.
-- owner: perennial
-- driver: raw.journey_coupons
-- grain: coupon_id, product_id
-- coupon_id: coupon_upc and campaign_id, because several campaigns hand out the same coupon.
-- event_time: start_date of the campaign.
-- known_time: when the rows were loaded, or the start for a historical load.
-- campaign_id: campaign_id.
-- product_id: product_id.
SELECT DISTINCT
    concat(c.coupon_upc, '-', c.campaign_id) AS coupon_id,
    cast(d.start_date AS TIMESTAMP) AS event_time,
    coalesce(c._loaded_at, cast(d.start_date AS TIMESTAMP)) AS known_time,
    c.campaign_id,
    c.product_id
FROM raw.journey_coupons AS c
INNER JOIN raw.journey_campaign_descriptions AS d ON d.campaign_id = c.campaign_id
