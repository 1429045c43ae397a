-- Acquired by: the new customers that each source is credited with, for insights.acquisition and insights.acquisition_curves.
-- One row per customer who has bought and dimension.
-- owner: perennial
-- grain: customer_id, dimension
-- check: accepted(dimension, channel, campaign, month, country, gender)
-- check: not_null(source)
-- customer_id: customer with a purchase.
-- first_at: when the first purchase was made.
-- dimension: channel, campaign, month, country or gender.
-- source: channel of insights.acquired_customers; campaign of it, none without one; month of the first purchase, as in 2024-11;
-- country or gender of the customer, unknown where there is none.
WITH
firsts AS (
    SELECT customer_id, first_at, channel, campaign_id
    FROM insights.acquired_customers
)

SELECT customer_id, first_at, 'channel' AS dimension, channel AS source
FROM firsts
UNION ALL
SELECT customer_id, first_at, 'campaign' AS dimension, coalesce(campaign_id, 'none') AS source
FROM firsts
UNION ALL
SELECT customer_id, first_at, 'month' AS dimension, to_char(first_at, '%Y-%m') AS source
FROM firsts
UNION ALL
SELECT customer_id, first_at, segmentation AS dimension, segment AS source
FROM insights.first_segments
WHERE segmentation IN ('country', 'gender')
