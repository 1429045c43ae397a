-- Coupon uses as known at each cut-off: the one place that applies the point-in-time rule to redemptions.
-- owner: perennial
-- grain: customer_id, as_of, redemption_id
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row; event time and known time of every use here lie before it.
-- redemption_id: id of the use.
-- event_time: when the coupon was used.
-- coupon_id: coupon used.
-- campaign_id: campaign that handed the coupon out.
SELECT
    s.customer_id,
    s.as_of,
    r.redemption_id,
    r.event_time,
    r.coupon_id,
    r.campaign_id
FROM spine AS s
INNER JOIN core.redemption_versions AS r
    ON r.customer_id = s.customer_id
    AND r.event_time < s.as_of
    AND r.known_time < s.as_of
    AND (r.superseded_at IS NULL OR r.superseded_at >= s.as_of)
