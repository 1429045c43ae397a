-- Tags: what can be said about a customer at a cut-off, as one long table. One row per customer, cut-off, tag and value.
-- owner: perennial
-- grain: customer_id, as_of, tag, value
-- check: not_null(value, evidence)
-- check: since < as_of
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row; tags are made anew for each.
-- tag: lifecycle, value_tier, churn_warning, behaviour, scenario, age_band, gender, country or city.
-- value: the stage, tier, rule, behaviour, scenario, band of ten years, gender, country or city.
-- since: start of what the tag was read from; NULL for what holds without a date.
-- evidence: the numbers that decided, in words.
WITH
-- Which scenario a category belongs to: the first of which its name has a word. A list to start from, in English; a project with
-- other categories overrides it.
scenario_words AS (
    SELECT place, scenario, words
    FROM (VALUES
        (1, 'gifts', 'gifts?|greeting|wrap|party|christmas|seasonal|flowers?|floral'),
        (2, 'household', 'household|home|kitchen|garden|cleaning|laundry|paper towels|housewares|candles?|bath|furniture|pet|dog|cat'),
        (3, 'office', 'office|stationery|electronics|computers?|printing|pens?'),
        (4, 'leisure', 'leisure|sports?|toys?|games?|books?|bookstore|magazines?|music|travel|hobby|crafts?'),
        (5, 'style', 'style|fashion|shoes|beauty|makeup|hair|skin|clothing|apparel|jewell?ery|cosmetics|fragrances?'),
        (6, 'food', 'food|grocery|drinks?|candy|snacks?|meat|beef|chicken|pork|seafood|cheeses?|bread|soup|pizza|milk|yogurt|eggs|'
            || 'ice cream|vegetables|fruits?|salad|cereals?|pasta|coffee|tea|juice|water|wine|beers?|cookies|crackers|spices')
    ) AS listed (place, scenario, words)
),

scenario_categories AS (
    SELECT c.category, w.scenario
    FROM (SELECT DISTINCT category FROM core.product_versions WHERE category IS NOT NULL) AS c
    INNER JOIN scenario_words AS w ON regexp_like(lower(c.category), concat('\b(', w.words, ')\b'))
    QUALIFY row_number() OVER (PARTITION BY c.category ORDER BY w.place) = 1
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
    LEFT JOIN scenario_categories AS s ON s.category = l.category
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
-- At least half of three or more purchase days of a year, of those whose lines do not say it.
SELECT
    g.customer_id,
    g.as_of,
    'scenario' AS tag,
    'gifts' AS value,
    g.as_of - INTERVAL '365 days' AS since,
    concat(g.count_gift_days, ' of ', g.count_days, ' purchase days in November or December') AS evidence
FROM gift_days AS g
LEFT JOIN scenario_lines AS s ON s.customer_id = g.customer_id AND s.as_of = g.as_of AND s.scenario = 'gifts'
LEFT JOIN categorised AS c ON c.customer_id = g.customer_id AND c.as_of = g.as_of
WHERE g.count_days >= 3
    AND 2 * g.count_gift_days >= g.count_days
    AND NOT coalesce(c.count_lines >= 5 AND 2 * s.count_lines >= c.count_lines, false)
UNION ALL
SELECT
    customer_id,
    as_of,
    attribute AS tag,
    value,
    cast(NULL AS TIMESTAMP) AS since,
    CASE attribute
        WHEN 'age_band' THEN 'date of birth'
        WHEN 'gender' THEN 'as the source codes it'
        ELSE 'as known at the cut-off'
    END AS evidence
FROM insights.demographics
