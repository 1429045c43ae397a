-- Loyalty: the tier of each member, how it moved and what became of the points, as known at each cut-off. One row per
-- customer and cut-off with any change of the membership before it.
-- owner: perennial
-- grain: customer_id, as_of
-- check: points_issued >= 0
-- check: points_redeemed >= 0
-- check: count_moves_up + count_moves_down <= count_tier_changes
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- tier: tier of the newest change that names one; NULL for none.
-- tier_since: when the membership entered it.
-- last_move: up, down or other, for tiers whose order is not known; NULL for a tier that never changed.
-- count_tier_changes: changes from one tier to another.
-- count_moves_up: those to a higher tier.
-- count_moves_down: those to a lower one.
-- points_issued: points earned.
-- points_redeemed: points spent.
-- points_outstanding: issued less redeemed; below 0 where points were spent that the data do not show earned.
-- redemption_rate: redeemed over issued; NULL where none were issued.
-- last_change_at: when points or tier changed last.
WITH
-- From the lowest; a project with other tiers overrides this list.
tier_order AS (
    SELECT tier, tier_level
    FROM (VALUES ('basic', 1), ('bronze', 2), ('silver', 3), ('gold', 4), ('platinum', 5), ('diamond', 6)) AS listed (tier, tier_level)
),

changes AS (
    SELECT s.customer_id, s.as_of, l.loyalty_id, l.event_time, l.tier, coalesce(l.points, 0.0) AS points
    FROM spine AS s
    INNER JOIN core.loyalty AS l
        ON l.customer_id = s.customer_id
        AND l.event_time < s.as_of
        AND l.known_time < s.as_of
    QUALIFY row_number() OVER (
        PARTITION BY s.customer_id, s.as_of, l.loyalty_id ORDER BY l.known_time DESC, l.event_time DESC, l.tier, l.points
    ) = 1
),

steps AS (
    SELECT
        c.customer_id,
        c.as_of,
        c.loyalty_id,
        c.event_time,
        c.tier,
        o.tier_level,
        lag(c.tier) OVER (PARTITION BY c.customer_id, c.as_of ORDER BY c.event_time, c.loyalty_id) AS earlier_tier,
        lag(o.tier_level) OVER (PARTITION BY c.customer_id, c.as_of ORDER BY c.event_time, c.loyalty_id) AS earlier_level
    FROM changes AS c
    LEFT JOIN tier_order AS o ON o.tier = lower(c.tier)
    WHERE c.tier IS NOT NULL
),

moves AS (
    SELECT
        *,
        CASE
            WHEN earlier_tier IS NULL OR earlier_tier = tier THEN NULL
            WHEN tier_level > earlier_level THEN 'up'
            WHEN tier_level < earlier_level THEN 'down'
            ELSE 'other'
        END AS move
    FROM steps
),

tiers AS (
    SELECT
        customer_id,
        as_of,
        first_value(tier ORDER BY event_time DESC, loyalty_id DESC) AS tier,
        max(event_time) FILTER (WHERE earlier_tier IS NULL OR earlier_tier <> tier) AS tier_since,
        first_value(move ORDER BY event_time DESC, loyalty_id DESC) FILTER (WHERE move IS NOT NULL) AS last_move,
        count(move) AS count_tier_changes,
        count(*) FILTER (WHERE move = 'up') AS count_moves_up,
        count(*) FILTER (WHERE move = 'down') AS count_moves_down
    FROM moves
    GROUP BY customer_id, as_of
),

points AS (
    SELECT
        customer_id,
        as_of,
        coalesce(sum(points) FILTER (WHERE points > 0.0), 0.0) AS points_issued,
        coalesce(-sum(points) FILTER (WHERE points < 0.0), 0.0) AS points_redeemed,
        max(event_time) AS last_change_at
    FROM changes
    GROUP BY customer_id, as_of
)

SELECT
    p.customer_id,
    p.as_of,
    t.tier,
    t.tier_since,
    t.last_move,
    coalesce(t.count_tier_changes, 0) AS count_tier_changes,
    coalesce(t.count_moves_up, 0) AS count_moves_up,
    coalesce(t.count_moves_down, 0) AS count_moves_down,
    p.points_issued,
    p.points_redeemed,
    p.points_issued - p.points_redeemed AS points_outstanding,
    p.points_redeemed / nullif(p.points_issued, 0.0) AS redemption_rate,
    p.last_change_at
FROM points AS p
LEFT JOIN tiers AS t ON t.customer_id = p.customer_id AND t.as_of = p.as_of
