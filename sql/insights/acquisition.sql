-- Acquisition: what a new customer costs, when that is earned back and what the customer is worth, by channel, campaign,
-- month, country and gender. One row per dimension and source, as insights.acquisition_curves has them; a month's are all of
-- its new customers, whatever brought them, beside all that was spent in it.
-- Only what was spent on people who had not bought yet counts as cost: their touches, and of a campaign's fixed cost the
-- share of those it reached, or of those of a country or gender. Value is revenue net of returns, since core knows no
-- margins: compare cac with cumulative_revenue times your own margin in insights.acquisition_curves.
-- owner: perennial
-- grain: dimension, source
-- check: accepted(dimension, channel, campaign, month, country, gender)
-- check: cost >= 0
-- check: payback_months >= 1
-- dimension: channel, campaign, month, country or gender.
-- source: channel of the last touch before the first purchase, or of the sign-up; campaign of the touch, none without one;
-- month, as in 2024-11, of the first purchase, and of the touch or the campaign's start; country or gender of the customer, and
-- of whoever was touched, unknown where there is none.
-- count_new_customers: customers whose first purchase it is credited with.
-- cost: spent on people who had not bought; NULL where no cost is known, as for a channel of sign-ups.
-- cac: cost over new customers; NULL for none or an unknown cost.
-- payback_months: first month of 30 days since the first purchase in which the mean customer has brought the cac, up to 24;
-- NULL where that is not seen.
-- value_365d: mean net value of the first 365 days of those observed for so long; NULL for none.
-- realised_value: mean net value so far.
-- expected_value: mean of their newest scores in scores.clv, for its horizon; NULL where none is scored.
-- clv: what they brought so far and are expected to bring; value_365d where none is scored.
-- clv_to_cac: clv over cac; NULL for a cac of 0.
WITH
firsts AS (
    SELECT customer_id, first_at
    FROM insights.acquired_customers
),

campaigns AS (
    SELECT campaign_id, channel, to_char(event_time, '%Y-%m') AS month, cost
    FROM core.campaign_versions
    WHERE superseded_at IS NULL
),

-- A person who never bought counts as one who had not bought yet.
touches AS (
    SELECT
        t.campaign_id,
        t.channel,
        t.customer_id,
        to_char(t.event_time, '%Y-%m') AS month,
        t.cost,
        f.first_at IS NULL OR t.event_time <= f.first_at AS is_new
    FROM core.touch_versions AS t
    LEFT JOIN firsts AS f ON f.customer_id = t.customer_id
    WHERE t.superseded_at IS NULL
),

reached AS (
    SELECT
        campaign_id,
        count(DISTINCT CASE WHEN is_new THEN customer_id END) / cast(count(DISTINCT customer_id) AS DOUBLE) AS new_share,
        count(DISTINCT customer_id) AS count_reached
    FROM touches
    WHERE campaign_id IS NOT NULL AND customer_id IS NOT NULL
    GROUP BY campaign_id
),

attributes AS (
    SELECT attribute
    FROM (VALUES ('country'), ('gender')) AS listed (attribute)
),

placed AS (
    SELECT
        a.attribute AS dimension,
        coalesce(CASE a.attribute WHEN 'country' THEN c.country ELSE c.gender END, 'unknown') AS source,
        t.campaign_id,
        t.customer_id,
        t.cost,
        t.is_new
    FROM touches AS t
    LEFT JOIN core.customer_versions AS c
        ON c.customer_id = t.customer_id
        AND c.superseded_at IS NULL
        AND NOT coalesce(c.is_deleted, false)
    CROSS JOIN attributes AS a
),

reached_there AS (
    SELECT dimension, source, campaign_id, count(DISTINCT customer_id) AS count_new
    FROM placed
    WHERE campaign_id IS NOT NULL AND customer_id IS NOT NULL AND is_new
    GROUP BY dimension, source, campaign_id
),

-- A campaign without touches tells nobody whom it reached: all of its cost counts.
costs AS (
    SELECT c.campaign_id, c.channel, c.month, c.cost * coalesce(r.new_share, 1.0) AS cost
    FROM campaigns AS c
    LEFT JOIN reached AS r ON r.campaign_id = c.campaign_id
    UNION ALL
    SELECT campaign_id, channel, month, CASE WHEN is_new THEN cost ELSE cost * 0.0 END AS cost
    FROM touches
),

costs_there AS (
    SELECT n.dimension, n.source, c.cost * n.count_new / r.count_reached AS cost
    FROM campaigns AS c
    INNER JOIN reached AS r ON r.campaign_id = c.campaign_id
    INNER JOIN reached_there AS n ON n.campaign_id = c.campaign_id
    UNION ALL
    SELECT a.attribute AS dimension, 'unknown' AS source, c.cost
    FROM campaigns AS c
    LEFT ANTI JOIN reached AS r ON r.campaign_id = c.campaign_id
    CROSS JOIN attributes AS a
    UNION ALL
    SELECT dimension, source, CASE WHEN is_new THEN cost ELSE cost * 0.0 END AS cost
    FROM placed
),

spent AS (
    SELECT 'channel' AS dimension, coalesce(channel, 'unknown') AS source, sum(cost) AS cost
    FROM costs
    GROUP BY coalesce(channel, 'unknown')
    UNION ALL
    SELECT 'campaign' AS dimension, campaign_id AS source, sum(cost) AS cost
    FROM costs
    WHERE campaign_id IS NOT NULL
    GROUP BY campaign_id
    UNION ALL
    SELECT 'month' AS dimension, month AS source, sum(cost) AS cost
    FROM costs
    GROUP BY month
    UNION ALL
    SELECT dimension, source, sum(cost) AS cost
    FROM costs_there
    GROUP BY dimension, source
),

earned AS (
    SELECT
        o.customer_id,
        sum(coalesce(o.amount, 0.0)) AS amount,
        coalesce(sum(o.amount) FILTER (WHERE o.event_time < f.first_at + INTERVAL '365 days'), 0.0) AS amount_365d
    FROM firsts AS f
    INNER JOIN core.order_versions AS o ON o.customer_id = f.customer_id AND o.event_time >= f.first_at
    WHERE o.superseded_at IS NULL AND NOT o.is_void
    GROUP BY o.customer_id
),

scored AS (
    SELECT customer_id, expected_value
    FROM scores.clv
    QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY as_of DESC, scored_at DESC, run_id DESC) = 1
),

named AS (
    SELECT
        a.dimension,
        a.source,
        e.amount,
        CASE WHEN a.first_at + INTERVAL '365 days' <= p.observed_until THEN e.amount_365d END AS amount_365d,
        s.expected_value
    FROM insights.acquired_by AS a
    INNER JOIN earned AS e ON e.customer_id = a.customer_id
    LEFT JOIN scored AS s ON s.customer_id = a.customer_id
    CROSS JOIN params AS p
),

valued AS (
    SELECT
        dimension,
        source,
        count(*) AS count_new_customers,
        avg(amount_365d) AS value_365d,
        avg(amount) AS realised_value,
        avg(expected_value) AS expected_value
    FROM named
    GROUP BY dimension, source
),

joined AS (
    SELECT
        coalesce(v.dimension, s.dimension) AS dimension,
        coalesce(v.source, s.source) AS source,
        coalesce(v.count_new_customers, 0) AS count_new_customers,
        s.cost,
        s.cost / cast(v.count_new_customers AS DOUBLE) AS cac,
        v.value_365d,
        v.realised_value,
        v.expected_value,
        CASE WHEN v.expected_value IS NOT NULL THEN v.realised_value + v.expected_value ELSE v.value_365d END AS clv
    FROM valued AS v
    FULL JOIN spent AS s ON s.dimension = v.dimension AND s.source = v.source
),

paid_back AS (
    SELECT j.dimension, j.source, min(c.months_since) AS payback_months
    FROM joined AS j
    INNER JOIN insights.acquisition_curves AS c
        ON c.dimension = j.dimension
        AND c.source = j.source
        AND c.cumulative_revenue >= j.cac
    GROUP BY j.dimension, j.source
)

SELECT
    j.dimension,
    j.source,
    j.count_new_customers,
    j.cost,
    j.cac,
    b.payback_months,
    j.value_365d,
    j.realised_value,
    j.expected_value,
    j.clv,
    j.clv / nullif(j.cac, 0.0) AS clv_to_cac
FROM joined AS j
LEFT JOIN paid_back AS b ON b.dimension = j.dimension AND b.source = j.source
