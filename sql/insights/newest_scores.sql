-- Newest scores: what the models said last about a customer, of cut-offs up to the spine's. One row per customer and cut-off.
-- Only of the shipped tasks; tasks of a project's own have rows of their own in the score tables.
-- owner: perennial
-- grain: customer_id, as_of
-- check: p_churn between 0 and 1
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- scores_as_of: cut-off of the newest churn score; NULL where the customer was never scored.
-- p_churn: probability of no purchase in the horizon of that score.
-- churn_horizon_days: days that this probability covers.
-- expected_value: expected net order value in the horizon of the newest value score.
-- value_horizon_days: days that this value covers.
-- next_purchase_days: median days from the newest scoring to the next purchase.
-- p_purchase: probability that the next purchase falls in the horizon of that scoring.
-- next_product_1: id of the likeliest next product.
-- next_product_1_probability: probability that the next purchase is that product.
-- next_product_2: id of the second likeliest.
-- next_product_3: id of the third likeliest.
WITH
-- A history is kept, so each score is that of the newest cut-off: the champion's, or else the one scored last.
churn AS (
    SELECT s.customer_id, s.as_of, c.as_of AS scores_as_of, c.p_churn, c.horizon_days
    FROM spine AS s
    INNER JOIN scores.churn AS c ON c.customer_id = s.customer_id AND c.as_of <= s.as_of AND c.task = 'churn'
    LEFT JOIN models.current_champions AS m ON m.task = c.task AND m.run_id = c.run_id
    QUALIFY row_number() OVER (
        PARTITION BY s.customer_id, s.as_of ORDER BY c.as_of DESC, m.run_id IS NULL, c.scored_at DESC, c.run_id DESC
    ) = 1
),

clv AS (
    SELECT s.customer_id, s.as_of, c.expected_value, c.horizon_days
    FROM spine AS s
    INNER JOIN scores.clv AS c ON c.customer_id = s.customer_id AND c.as_of <= s.as_of AND c.task = 'clv'
    LEFT JOIN models.current_champions AS m ON m.task = c.task AND m.run_id = c.run_id
    QUALIFY row_number() OVER (
        PARTITION BY s.customer_id, s.as_of ORDER BY c.as_of DESC, m.run_id IS NULL, c.scored_at DESC, c.run_id DESC
    ) = 1
),

next_time AS (
    SELECT s.customer_id, s.as_of, n.median_days, n.p_within_horizon
    FROM spine AS s
    INNER JOIN scores.next_purchase_time AS n
        ON n.customer_id = s.customer_id AND n.as_of <= s.as_of AND n.task = 'next_purchase'
    LEFT JOIN models.current_champions AS m ON m.task = n.task AND m.run_id = n.run_id
    QUALIFY row_number() OVER (
        PARTITION BY s.customer_id, s.as_of ORDER BY n.as_of DESC, m.run_id IS NULL, n.scored_at DESC, n.run_id DESC
    ) = 1
),

-- All ranks of one scoring share the first place here, so that two scorings never mix.
next_ranks AS (
    SELECT s.customer_id, s.as_of, n.rank, n.product_id, n.probability
    FROM spine AS s
    INNER JOIN scores.next_purchase AS n
        ON n.customer_id = s.customer_id AND n.as_of <= s.as_of AND n.task = 'next_purchase'
    LEFT JOIN models.current_champions AS m ON m.task = n.task AND m.run_id = n.run_id
    QUALIFY rank() OVER (
        PARTITION BY s.customer_id, s.as_of ORDER BY n.as_of DESC, m.run_id IS NULL, n.scored_at DESC, n.run_id DESC
    ) = 1
),

next_products AS (
    SELECT
        customer_id,
        as_of,
        max(product_id) FILTER (WHERE rank = 1) AS next_product_1,
        max(probability) FILTER (WHERE rank = 1) AS next_product_1_probability,
        max(product_id) FILTER (WHERE rank = 2) AS next_product_2,
        max(product_id) FILTER (WHERE rank = 3) AS next_product_3
    FROM next_ranks
    WHERE rank <= 3
    GROUP BY customer_id, as_of
)

SELECT
    s.customer_id,
    s.as_of,
    churn.scores_as_of,
    churn.p_churn,
    churn.horizon_days AS churn_horizon_days,
    clv.expected_value,
    clv.horizon_days AS value_horizon_days,
    next_time.median_days AS next_purchase_days,
    next_time.p_within_horizon AS p_purchase,
    n.next_product_1,
    n.next_product_1_probability,
    n.next_product_2,
    n.next_product_3
FROM spine AS s
LEFT JOIN churn ON churn.customer_id = s.customer_id AND churn.as_of = s.as_of
LEFT JOIN clv ON clv.customer_id = s.customer_id AND clv.as_of = s.as_of
LEFT JOIN next_time ON next_time.customer_id = s.customer_id AND next_time.as_of = s.as_of
LEFT JOIN next_products AS n ON n.customer_id = s.customer_id AND n.as_of = s.as_of
