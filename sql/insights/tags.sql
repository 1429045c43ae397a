-- Tags: what can be said about a customer at a cut-off, as one long table. One row per customer, cut-off, tag and value.
-- owner: perennial
-- grain: customer_id, as_of, tag, value
-- check: not_null(value, evidence)
-- check: since < as_of
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row; tags are made anew for each.
-- tag: lifecycle, value_tier, churn_warning, behaviour, scenario, age_band, gender or country.
-- value: the stage, tier, rule, behaviour, scenario, band of ten years, gender or country.
-- since: start of what the tag was read from; NULL for what holds without a date.
-- evidence: the numbers that decided, in words.
WITH
-- Which scenario a category belongs to; a project with other categories overrides this list.
scenario_categories AS (
    SELECT category, scenario
    FROM (VALUES
        ('household', 'household'), ('home', 'household'), ('kitchen', 'household'), ('garden', 'household'),
        ('office', 'office'), ('stationery', 'office'), ('electronics', 'office'),
        ('grocery', 'food'), ('drinks', 'food'),
        ('sports', 'leisure'), ('toys', 'leisure'), ('books', 'leisure'),
        ('fashion', 'style'), ('shoes', 'style'), ('beauty', 'style')
    ) AS listed (category, scenario)
),

first_orders AS (
    SELECT
        customer_id,
        as_of,
        as_of - arrow_cast(cast(round(days_since_first_order * 86400000000.0) AS BIGINT), 'Duration(Microsecond)') AS first_order_at
    FROM features.tenure
    WHERE days_since_first_order IS NOT NULL
),

lines AS (
    SELECT l.customer_id, l.as_of, l.event_time, s.scenario
    FROM features.known_lines AS l
    LEFT JOIN scenario_categories AS s ON s.category = lower(l.category)
    WHERE NOT l.is_return AND l.event_time >= l.as_of - INTERVAL '365 days'
),

scenario_lines AS (
    SELECT customer_id, as_of, scenario, count(*) AS count_lines
    FROM lines
    WHERE scenario IS NOT NULL
    GROUP BY customer_id, as_of, scenario
),

categorised AS (
    SELECT customer_id, as_of, sum(count_lines) AS count_lines
    FROM scenario_lines
    GROUP BY customer_id, as_of
),

gift_days AS (
    SELECT
        customer_id,
        as_of,
        count(*) AS count_days,
        count(*) FILTER (WHERE date_part('month', ordered_on) >= 11) AS count_gift_days
    FROM features.purchase_days
    WHERE ordered_on >= cast(as_of - INTERVAL '365 days' AS DATE)
    GROUP BY customer_id, as_of
),

ages AS (
    SELECT
        customer_id,
        as_of,
        -- Days over the mean length of a year would be a day off at some birthdays.
        cast(date_part('year', as_of) - date_part('year', birth_date) AS BIGINT)
            - CASE
                WHEN 100 * date_part('month', as_of) + date_part('day', as_of)
                    < 100 * date_part('month', birth_date) + date_part('day', birth_date) THEN 1
                ELSE 0
            END AS age
    FROM features.known_customers
    WHERE birth_date IS NOT NULL
)

SELECT
    customer_id,
    as_of,
    'lifecycle' AS tag,
    stage AS value,
    since,
    concat(measure, ' ', coalesce(cast(round(measure_value, 2) AS VARCHAR), 'over nothing'), ', bound ', threshold) AS evidence
FROM insights.lifecycle
UNION ALL
SELECT
    customer_id,
    as_of,
    'value_tier' AS tag,
    tier AS value,
    as_of - INTERVAL '365 days' AS since,
    concat('rank ', value_rank, ', net value ', round(net_amount_365d, 2), ' in 365 days') AS evidence
FROM insights.value_tiers
WHERE tier <> 'none'
UNION ALL
SELECT
    customer_id,
    as_of,
    'churn_warning' AS tag,
    rule AS value,
    since,
    concat('measured ', round(value, 2), ', bound ', threshold) AS evidence
FROM insights.churn_warnings
UNION ALL
SELECT
    b.customer_id,
    b.as_of,
    'behaviour' AS tag,
    b.behaviour AS value,
    CASE WHEN b.behaviour = 'frequent_browser' THEN b.as_of - INTERVAL '90 days' ELSE f.first_order_at END AS since,
    concat('share ', round(b.share, 2)) AS evidence
FROM insights.behaviours AS b
LEFT JOIN first_orders AS f ON f.customer_id = b.customer_id AND f.as_of = b.as_of
WHERE b.is_shown
UNION ALL
-- At least half of five or more lines.
SELECT
    s.customer_id,
    s.as_of,
    'scenario' AS tag,
    s.scenario AS value,
    s.as_of - INTERVAL '365 days' AS since,
    concat(s.count_lines, ' of ', c.count_lines, ' lines in 365 days') AS evidence
FROM scenario_lines AS s
INNER JOIN categorised AS c ON c.customer_id = s.customer_id AND c.as_of = s.as_of
WHERE c.count_lines >= 5 AND 2 * s.count_lines >= c.count_lines
UNION ALL
-- At least half of three or more purchase days of a year.
SELECT
    customer_id,
    as_of,
    'scenario' AS tag,
    'gifts' AS value,
    as_of - INTERVAL '365 days' AS since,
    concat(count_gift_days, ' of ', count_days, ' purchase days in November or December') AS evidence
FROM gift_days
WHERE count_days >= 3 AND 2 * count_gift_days >= count_days
UNION ALL
SELECT
    customer_id,
    as_of,
    'age_band' AS tag,
    concat(age / 10 * 10, '-', age / 10 * 10 + 9) AS value,
    cast(NULL AS TIMESTAMP) AS since,
    'date of birth' AS evidence
FROM ages
WHERE age BETWEEN 0 AND 119
UNION ALL
SELECT customer_id, as_of, 'gender' AS tag, gender AS value, cast(NULL AS TIMESTAMP) AS since, 'as the source codes it' AS evidence
FROM features.known_customers
WHERE gender IS NOT NULL
UNION ALL
SELECT customer_id, as_of, 'country' AS tag, country AS value, cast(NULL AS TIMESTAMP) AS since, 'as known at the cut-off' AS evidence
FROM features.known_customers
WHERE country IS NOT NULL
