-- Who brought whom to the simulated shop.
-- owner: perennial
-- grain: edge_id
-- edge_id: referral_id.
-- customer_id: referrer_id.
-- event_time: referred_at.
-- known_time: recorded_at.
-- other_customer_id: referred_id.
-- kind: always referral.
-- weight: always 1.
SELECT
    referral_id AS edge_id,
    referrer_id AS customer_id,
    cast(referred_at AS TIMESTAMP) AS event_time,
    coalesce(cast(recorded_at AS TIMESTAMP), _loaded_at, cast(referred_at AS TIMESTAMP)) AS known_time,
    referred_id AS other_customer_id,
    'referral' AS kind,
    1.0 AS weight
FROM raw.shop_referrals
