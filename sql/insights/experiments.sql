-- Experiments: what each arm did in the 14 days after the assignment, beside the control. One row per experiment and arm.
-- The control is the arm that is called control or holdout. Effects are differences of means from it, their intervals (95 %)
-- those of large arms, each on its own; compare_arms over insights.experiment_outcomes gives exact ones, intervals that may
-- be looked at every day, corrections for many arms, and less noise by what was known before. Before any of it,
-- sample_ratio says whether the split can be trusted.
-- owner: perennial
-- grain: experiment, arm
-- check: count_buyers <= count_customers
-- check: orders_low <= orders_effect
-- check: revenue_low <= revenue_effect
-- experiment: name of the experiment.
-- arm: arm of the experiment.
-- is_control: whether the others are compared with it.
-- started_at: first assignment of the arm.
-- count_customers: customers of the arm.
-- count_buyers: those of them who bought.
-- count_orders: their purchases.
-- revenue: the value of those, before returns.
-- orders_effect: purchases per customer more than the control's; NULL for the control, and without one.
-- orders_low: lower end of its interval; NULL where an arm has only one customer.
-- orders_high: upper end.
-- revenue_effect: revenue per customer more than the control's.
-- revenue_low: lower end of its interval.
-- revenue_high: upper end.
WITH
arms AS (
    SELECT
        experiment,
        arm,
        lower(arm) IN ('control', 'holdout') AS is_control,
        min(assigned_at) AS started_at,
        count(*) AS count_customers,
        count(*) FILTER (WHERE has_bought) AS count_buyers,
        cast(sum(count_orders) AS BIGINT) AS count_orders,
        sum(revenue) AS revenue,
        avg(cast(count_orders AS DOUBLE)) AS mean_orders,
        avg(revenue) AS mean_revenue,
        var_samp(cast(count_orders AS DOUBLE)) / count(*) AS variance_of_orders,
        var_samp(revenue) / count(*) AS variance_of_revenue
    FROM insights.experiment_outcomes
    GROUP BY experiment, arm
),

controls AS (
    SELECT experiment, arm, mean_orders, mean_revenue, variance_of_orders, variance_of_revenue
    FROM arms
    WHERE is_control
    QUALIFY row_number() OVER (PARTITION BY experiment ORDER BY arm) = 1
),

compared AS (
    SELECT
        a.*,
        a.mean_orders - c.mean_orders AS orders_effect,
        1.959963984540054 * sqrt(a.variance_of_orders + c.variance_of_orders) AS orders_width,
        a.mean_revenue - c.mean_revenue AS revenue_effect,
        1.959963984540054 * sqrt(a.variance_of_revenue + c.variance_of_revenue) AS revenue_width
    FROM arms AS a
    LEFT JOIN controls AS c ON c.experiment = a.experiment AND c.arm <> a.arm
)

SELECT
    experiment,
    arm,
    is_control,
    started_at,
    count_customers,
    count_buyers,
    count_orders,
    revenue,
    orders_effect,
    orders_effect - orders_width AS orders_low,
    orders_effect + orders_width AS orders_high,
    revenue_effect,
    revenue_effect - revenue_width AS revenue_low,
    revenue_effect + revenue_width AS revenue_high
FROM compared
