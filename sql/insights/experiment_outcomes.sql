-- Experiments, customer by customer: what everyone who was put in an arm bought in the 14 days after, whether or not the
-- arm reached him. One row per experiment and customer, whose first assignment counts. Windows that are not over yet count
-- as far as they go, in all arms alike. What was bought before the assignment can't be its effect, and takes noise away:
-- compare_arms((SELECT arm, revenue, revenue_before FROM … WHERE experiment = …), control => …).
-- What was decided for customers is an experiment, too: each action of scores.next_best_action, named as its task and the action,
-- with those for whom it was decided in the arm act, and in the arm holdout those who were held out of it.
-- owner: perennial
-- grain: experiment, customer_id
-- check: count_orders >= 0
-- check: unique(experiment, customer_id)
-- experiment: name of the experiment.
-- arm: arm that the customer is in.
-- customer_id: who was assigned.
-- assigned_at: when he was.
-- has_bought: whether he bought within 14 days of it.
-- count_orders: purchases within 14 days of it.
-- revenue: their value, before returns.
-- count_orders_before: purchases in the 90 days before it.
-- revenue_before: their value, before returns.
WITH
assignments AS (
    SELECT assignment_id, customer_id, event_time, experiment, arm
    FROM core.assignments
    QUALIFY row_number() OVER (PARTITION BY assignment_id ORDER BY known_time DESC, event_time DESC, arm) = 1
),

-- An action takes effect from the cut-off that it was decided at.
decided AS (
    SELECT
        concat(task, '.', action) AS experiment,
        customer_id,
        CASE WHEN is_held_out THEN 'holdout' ELSE 'act' END AS arm,
        as_of AS event_time,
        concat(cast(scored_at AS VARCHAR), channel) AS assignment_id
    FROM scores.next_best_action
),

every_arm AS (
    SELECT experiment, customer_id, arm, event_time, assignment_id FROM assignments
    UNION ALL
    SELECT experiment, customer_id, arm, event_time, assignment_id FROM decided
),

assigned AS (
    SELECT experiment, customer_id, arm, event_time AS assigned_at
    FROM every_arm
    WHERE experiment IS NOT NULL AND arm IS NOT NULL AND customer_id IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY experiment, customer_id ORDER BY event_time, assignment_id) = 1
),

orders AS (
    SELECT customer_id, event_time, coalesce(amount, 0.0) AS amount
    FROM core.order_versions
    WHERE superseded_at IS NULL AND status = 'completed' AND customer_id IS NOT NULL
),

bought AS (
    SELECT
        a.experiment,
        a.customer_id,
        count(*) FILTER (WHERE o.event_time >= a.assigned_at) AS count_orders,
        sum(o.amount) FILTER (WHERE o.event_time >= a.assigned_at) AS revenue,
        count(*) FILTER (WHERE o.event_time < a.assigned_at) AS count_orders_before,
        sum(o.amount) FILTER (WHERE o.event_time < a.assigned_at) AS revenue_before
    FROM assigned AS a
    INNER JOIN orders AS o
        ON o.customer_id = a.customer_id
        AND o.event_time >= a.assigned_at - INTERVAL '90 days'
        AND o.event_time < a.assigned_at + INTERVAL '14 days'
    GROUP BY a.experiment, a.customer_id
)

SELECT
    a.experiment,
    a.arm,
    a.customer_id,
    a.assigned_at,
    coalesce(b.count_orders, 0) > 0 AS has_bought,
    coalesce(b.count_orders, 0) AS count_orders,
    coalesce(b.revenue, 0.0) AS revenue,
    coalesce(b.count_orders_before, 0) AS count_orders_before,
    coalesce(b.revenue_before, 0.0) AS revenue_before
FROM assigned AS a
LEFT JOIN bought AS b ON b.experiment = a.experiment AND b.customer_id = a.customer_id
