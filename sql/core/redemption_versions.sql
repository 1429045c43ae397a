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
corrected AS (
    SELECT redemption_id
    FROM core.redemptions
    GROUP BY redemption_id
    HAVING count(*) > 1
),

-- Most keys have one version, so only the others are sorted; DISTINCT drops what was sent twice unchanged.
several AS (
    SELECT DISTINCT r.*
    FROM core.redemptions AS r
    LEFT SEMI JOIN corrected AS c ON c.redemption_id = r.redemption_id
),

single AS (
    SELECT r.*
    FROM core.redemptions AS r
    LEFT ANTI JOIN corrected AS c ON c.redemption_id = r.redemption_id
)

SELECT *, cast(NULL AS TIMESTAMP) AS superseded_at
FROM single
UNION ALL
SELECT *, lead(known_time) OVER (PARTITION BY redemption_id ORDER BY known_time, event_time, coupon_id, order_id) AS superseded_at
FROM several
