-- Value tiers: customers ranked by what they spent, net of returns, in the last 365 days. One row per customer and cut-off.
-- Tiers are shares of the customers who spent, not amounts: top 1 % platinum, 5 % gold, 20 % silver, 50 % bronze, the rest
-- basic. Spending is so skewed that the top percents hold much of it, and a share needs no new bound when prices change.
-- owner: perennial
-- grain: customer_id, as_of
-- check: accepted(tier, platinum, gold, silver, bronze, basic, none)
-- check: cumulative_share > 0 and cumulative_share <= 1.000001
-- customer_id: customer of the spine who has bought before the cut-off.
-- as_of: cut-off of the spine row; ranks are among the customers of one cut-off.
-- net_amount_365d: purchases less returns of the 365 days before the cut-off.
-- value_rank: 1 for the largest; equal customers share the better rank; NULL, like all below but the tier, for 0 or less.
-- rank_share: rank over the number of customers who spent.
-- value_share: the customer's share of what all of them spent.
-- cumulative_share: share of what all customers of this rank or better spent.
-- tier: platinum, gold, silver, bronze or basic; none for 0 or less.
WITH
spent AS (
    SELECT
        customer_id,
        as_of,
        -- Rounded, so that equal customers are equal in whatever order their amounts were added.
        round(coalesce(sum(amount) FILTER (WHERE event_time >= as_of - INTERVAL '365 days'), 0.0), 6) AS net_amount_365d,
        count(*) FILTER (WHERE is_purchase) AS count_orders
    FROM features.known_orders
    GROUP BY customer_id, as_of
),

ranked AS (
    SELECT
        customer_id,
        as_of,
        cast(rank() OVER (PARTITION BY as_of ORDER BY net_amount_365d DESC) AS BIGINT) AS value_rank,
        rank() OVER (PARTITION BY as_of ORDER BY net_amount_365d DESC)
            / cast(count(*) OVER (PARTITION BY as_of) AS DOUBLE) AS rank_share,
        net_amount_365d / sum(net_amount_365d) OVER (PARTITION BY as_of) AS value_share,
        sum(net_amount_365d) OVER (PARTITION BY as_of ORDER BY net_amount_365d DESC)
            / sum(net_amount_365d) OVER (PARTITION BY as_of) AS cumulative_share
    FROM spent
    WHERE net_amount_365d > 0.0 AND count_orders > 0
)

SELECT
    s.customer_id,
    s.as_of,
    s.net_amount_365d,
    r.value_rank,
    r.rank_share,
    r.value_share,
    r.cumulative_share,
    -- The first customer is platinum also where there are fewer than a hundred.
    CASE
        WHEN r.value_rank IS NULL THEN 'none'
        WHEN r.value_rank = 1 OR r.rank_share <= 0.01 THEN 'platinum'
        WHEN r.rank_share <= 0.05 THEN 'gold'
        WHEN r.rank_share <= 0.20 THEN 'silver'
        WHEN r.rank_share <= 0.50 THEN 'bronze'
        ELSE 'basic'
    END AS tier
FROM spent AS s
LEFT JOIN ranked AS r ON r.customer_id = s.customer_id AND r.as_of = s.as_of
WHERE s.count_orders > 0
