-- RFM: quintile scores of recency, frequency and value among the customers of a cut-off, and a named segment. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: recency_score between 1 and 5
-- check: frequency_score between 1 and 5
-- check: monetary_score between 1 and 5
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row; scores rank the customers of one cut-off.
-- recency_score: 5 for the fifth that bought most recently, 1 for the longest ago; equal customers share the lower score.
-- frequency_score: 5 for the fifth with most purchases, 1 for the fewest; equal customers share the lower score.
-- monetary_score: 5 for the fifth that spent most, net of returns, 1 for the least; equal customers share the lower score.
-- rfm_score: the three digits side by side, such as 545.
-- segment: champion, loyal, promising, new, needs_attention, at_risk, cannot_lose, hibernating or lost.
WITH
measures AS (
    SELECT
        r.customer_id,
        r.as_of,
        r.days_since_order,
        f.count_orders,
        v.net_amount
    FROM features.recency AS r
    INNER JOIN features.frequency AS f ON f.customer_id = r.customer_id AND f.as_of = r.as_of
    INNER JOIN features.value AS v ON v.customer_id = r.customer_id AND v.as_of = r.as_of
    WHERE f.count_orders > 0
),

ranked AS (
    SELECT
        customer_id,
        as_of,
        count(*) OVER (PARTITION BY as_of) AS count_customers,
        cast(rank() OVER (PARTITION BY as_of ORDER BY days_since_order DESC) AS BIGINT) - 1 AS less_recent,
        cast(rank() OVER (PARTITION BY as_of ORDER BY count_orders) AS BIGINT) - 1 AS less_frequent,
        cast(rank() OVER (PARTITION BY as_of ORDER BY net_amount) AS BIGINT) - 1 AS less_valuable
    FROM measures
),

scored AS (
    SELECT
        customer_id,
        as_of,
        1 + 5 * less_recent / count_customers AS recency_score,
        1 + 5 * less_frequent / count_customers AS frequency_score,
        1 + 5 * less_valuable / count_customers AS monetary_score
    FROM ranked
)

SELECT
    customer_id,
    as_of,
    recency_score,
    frequency_score,
    monetary_score,
    concat(recency_score, frequency_score, monetary_score) AS rfm_score,
    CASE
        WHEN recency_score >= 4 AND frequency_score >= 4 AND monetary_score >= 4 THEN 'champion'
        WHEN recency_score >= 3 AND frequency_score >= 3 THEN 'loyal'
        WHEN recency_score = 5 AND frequency_score = 1 THEN 'new'
        WHEN recency_score >= 4 THEN 'promising'
        WHEN recency_score = 3 THEN 'needs_attention'
        WHEN frequency_score >= 4 AND monetary_score >= 4 THEN 'cannot_lose'
        WHEN frequency_score >= 3 THEN 'at_risk'
        WHEN recency_score = 2 THEN 'hibernating'
        ELSE 'lost'
    END AS segment
FROM scored
