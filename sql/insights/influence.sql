-- Influence: what part each customer plays among those with ties, in the newest version known. One row per customer with a tie.
-- Attention goes from a follower to the one followed, from who was referred to who referred (whose customer_id the tie
-- carries), and both ways for every other kind. Silent are those without a purchase or event in the 90 days before the data
-- end; opinion leaders the 5 % of the others, one at least, with the highest page rank, as analytics' layers: equal ranks
-- lead only where all of them fit.
-- owner: perennial
-- grain: customer_id
-- check: accepted(layer, opinion_leader, active, silent)
-- check: range(page_rank, 0, 1)
-- customer_id: customer with a tie.
-- page_rank: share of all attention.
-- community: number of the group of customers with more ties among them than chance would put there.
-- count_followers: different customers whose attention the ties lead here.
-- count_followed: different customers to whom the ties lead from here.
-- count_actions_90d: purchases and events in the 90 days before the data end.
-- layer: opinion_leader, active or silent.
WITH
ties AS (
    SELECT customer_id, other_customer_id, coalesce(kind, 'unknown') AS kind, coalesce(weight, 1.0) AS weight
    FROM core.social_edges
    QUALIFY row_number() OVER (
        PARTITION BY edge_id ORDER BY known_time DESC, event_time DESC, customer_id, other_customer_id, kind, weight
    ) = 1
),

attention AS (
    SELECT customer_id AS giver, other_customer_id AS taker, weight
    FROM ties
    WHERE kind <> 'referral' AND customer_id <> other_customer_id AND weight > 0.0
    UNION ALL
    SELECT other_customer_id AS giver, customer_id AS taker, weight
    FROM ties
    WHERE kind <> 'follow' AND customer_id <> other_customer_id AND weight > 0.0
),

followers AS (
    SELECT taker AS customer_id, count(DISTINCT giver) AS count_followers
    FROM attention
    GROUP BY taker
),

followed AS (
    SELECT giver AS customer_id, count(DISTINCT taker) AS count_followed
    FROM attention
    GROUP BY giver
),

actions AS (
    SELECT o.customer_id, o.event_time
    FROM core.order_versions AS o
    WHERE o.superseded_at IS NULL AND o.status = 'completed'
    UNION ALL
    SELECT e.customer_id, e.event_time
    FROM core.event_versions AS e
    WHERE e.superseded_at IS NULL
),

acted AS (
    SELECT a.customer_id, count(*) AS count_actions_90d
    FROM actions AS a
    INNER JOIN params AS p ON a.event_time >= p.observed_until - INTERVAL '90 days'
    WHERE a.customer_id IS NOT NULL
    GROUP BY a.customer_id
),

members AS (
    SELECT
        r.node AS customer_id,
        r.page_rank,
        c.community,
        coalesce(a.count_actions_90d, 0) AS count_actions_90d
    FROM page_rank((SELECT giver, taker, weight FROM attention)) AS r
    INNER JOIN communities((SELECT giver, taker, weight FROM attention)) AS c ON c.node = r.node
    LEFT JOIN acted AS a ON a.customer_id = r.node
),

-- Ranks are rounded, so that equal ones are equal in whatever order they were added.
ranked AS (
    SELECT
        customer_id,
        count(*) OVER (ORDER BY round(page_rank, 12) DESC) AS count_as_high,
        count(*) OVER () AS count_active
    FROM members
    WHERE count_actions_90d > 0
)

SELECT
    m.customer_id,
    m.page_rank,
    m.community,
    coalesce(i.count_followers, 0) AS count_followers,
    coalesce(o.count_followed, 0) AS count_followed,
    m.count_actions_90d,
    CASE
        WHEN r.customer_id IS NULL THEN 'silent'
        WHEN r.count_as_high <= greatest(round(0.05 * r.count_active), 1) THEN 'opinion_leader'
        ELSE 'active'
    END AS layer
FROM members AS m
LEFT JOIN ranked AS r ON r.customer_id = m.customer_id
LEFT JOIN followers AS i ON i.customer_id = m.customer_id
LEFT JOIN followed AS o ON o.customer_id = m.customer_id
