-- Acquisition curves: what new customers bring, month by month, by what brought them. One row per dimension, source and month
-- since the first purchase. The source is that of the newest touch in the 30 days up to the first purchase; a customer
-- without one counts under the channel of the sign-up. Months are of 30 days, and each is the mean over the customers whom
-- it was all observed for, so that young customers count for as long as they are known and no longer.
-- owner: perennial
-- grain: dimension, source, months_since
-- check: accepted(dimension, channel, campaign, month, country, gender)
-- check: count_observed > 0
-- dimension: channel, campaign, month, country or gender.
-- source: as in insights.acquired_by.
-- months_since: 1 for the 30 days from the first purchase on, up to 24.
-- count_observed: new customers for whom the month is over when the data end.
-- revenue_per_customer: mean of their purchases of the month, less what came back in it; revenue, not margin.
-- cumulative_revenue: that of all months up to this one.
WITH
observed AS (
    SELECT
        n.customer_id,
        n.dimension,
        n.source,
        cast(floor(date_part('epoch', p.observed_until - n.first_at) / 2592000.0) AS BIGINT) AS complete_months
    FROM insights.acquired_by AS n
    CROSS JOIN params AS p
),

months AS (
    SELECT unnest(range(1, 25)) AS months_since
),

counted AS (
    SELECT o.dimension, o.source, m.months_since, count(*) AS count_observed
    FROM observed AS o
    INNER JOIN months AS m ON m.months_since <= o.complete_months
    GROUP BY o.dimension, o.source, m.months_since
),

spent AS (
    SELECT
        f.customer_id,
        1 + cast(floor(date_part('epoch', o.event_time - f.first_at) / 2592000.0) AS BIGINT) AS months_since,
        sum(coalesce(o.amount, 0.0)) AS amount
    FROM insights.acquired_customers AS f
    INNER JOIN core.order_versions AS o ON o.customer_id = f.customer_id AND o.event_time >= f.first_at
    WHERE o.superseded_at IS NULL AND NOT o.is_void
    GROUP BY 1, 2
),

earned AS (
    SELECT o.dimension, o.source, s.months_since, sum(s.amount) AS revenue
    FROM observed AS o
    INNER JOIN spent AS s ON s.customer_id = o.customer_id AND s.months_since <= o.complete_months
    GROUP BY o.dimension, o.source, s.months_since
),

joined AS (
    SELECT
        c.dimension,
        c.source,
        c.months_since,
        c.count_observed,
        coalesce(e.revenue, 0.0) / c.count_observed AS revenue_per_customer
    FROM counted AS c
    LEFT JOIN earned AS e ON e.dimension = c.dimension AND e.source = c.source AND e.months_since = c.months_since
)

SELECT
    dimension,
    source,
    months_since,
    count_observed,
    revenue_per_customer,
    sum(revenue_per_customer) OVER (PARTITION BY dimension, source ORDER BY months_since) AS cumulative_revenue
FROM joined
