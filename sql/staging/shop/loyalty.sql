-- Points and tiers of the simulated shop's loyalty programme.
-- owner: perennial
-- grain: loyalty_id
-- loyalty_id: change_id.
-- customer_id: customer_id.
-- event_time: changed_at.
-- known_time: recorded_at.
-- tier: tier in lower case; NULL where it stays.
-- points: points, negative where spent.
SELECT
    change_id AS loyalty_id,
    customer_id,
    cast(changed_at AS TIMESTAMP) AS event_time,
    coalesce(cast(recorded_at AS TIMESTAMP), _loaded_at, cast(changed_at AS TIMESTAMP)) AS known_time,
    lower(tier) AS tier,
    cast(points AS DOUBLE) AS points
FROM raw.shop_loyalty
