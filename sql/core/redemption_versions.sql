-- Redemptions with the time at which each version stopped counting.
-- owner: perennial
-- grain: redemption_id, known_time
-- redemption_id: id of the use.
-- customer_id: who used the coupon.
-- event_time: when it was used.
-- known_time: when the company could have known it.
-- coupon_id: coupon used.
-- order_id: order on which it was used; NULL where the source does not say.
-- campaign_id: campaign that handed the coupon out.
-- superseded_at: when the next version of the same key became known; NULL for the version in force.
WITH
-- What passed to another customer ends for the one who had it.
held AS (
    SELECT *, false AS is_moved
    FROM core.redemptions
    UNION ALL BY NAME
    SELECT id AS redemption_id, customer_id, event_time, known_time, true AS is_moved
    FROM core.moves
    WHERE of_table = 'redemptions'
),

versions AS (
    SELECT *, lead(known_time) OVER (PARTITION BY customer_id, redemption_id ORDER BY known_time, is_moved, event_time, coupon_id, order_id) AS superseded_at
    FROM held
)

-- A version that was superseded as it became known was never in force.
SELECT * EXCLUDE (is_moved)
FROM versions
WHERE NOT is_moved AND (superseded_at IS NULL OR superseded_at > known_time)
