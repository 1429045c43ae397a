-- Complete Journey coupon uses: one row per household, coupon, campaign and day; the data do not name the basket.
-- owner: perennial
-- grain: redemption_id
-- redemption_id: household, coupon, campaign and day.
-- customer_id: household_id.
-- event_time: redemption_date.
-- known_time: when the rows were loaded, or the day for a historical load.
-- coupon_id: coupon_upc and campaign_id, as in core.coupons.
-- campaign_id: campaign_id.
SELECT
    concat_ws('-', household_id, coupon_upc, campaign_id, redemption_date) AS redemption_id,
    household_id AS customer_id,
    cast(redemption_date AS TIMESTAMP) AS event_time,
    coalesce(_loaded_at, cast(redemption_date AS TIMESTAMP)) AS known_time,
    concat(coupon_upc, '-', campaign_id) AS coupon_id,
    campaign_id
FROM raw.journey_coupon_redemptions
