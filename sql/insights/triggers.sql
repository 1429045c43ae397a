-- Triggers: what makes today, the day of the cut-off, a day to do something for a customer. One row per customer, cut-off and trigger.
-- owner: perennial
-- grain: customer_id, as_of, trigger
-- check: accepted(trigger, birthday, churn_warning, due, coupon)
-- check: not_null(evidence)
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- trigger: birthday (in the 7 days from the cut-off on), churn_warning (any of insights.churn_warnings), due (the next purchase
-- by the customer's own rhythm, in these 7 days) or coupon (a price-sensitive customer, and a coupon in force for a product
-- that was bought in the last 365 days).
-- due_on: the birthday, the day on which the purchase is due, or the day of the cut-off.
-- evidence: the numbers that decided, in words.
WITH
days AS (
    SELECT value AS days_ahead
    FROM generate_series(0, 6)
),

-- Who was born on 29 February has a birthday on 1 March in other years.
birthdays AS (
    SELECT
        k.customer_id,
        k.as_of,
        k.birth_date,
        cast(k.as_of AS DATE) + d.days_ahead AS due_on
    FROM features.known_customers AS k
    CROSS JOIN days AS d
    WHERE k.birth_date IS NOT NULL
),

birthday AS (
    SELECT customer_id, as_of, due_on, concat('born on ', birth_date) AS evidence
    FROM birthdays
    WHERE to_char(due_on, '%m-%d') = to_char(birth_date, '%m-%d')
        OR (
            to_char(birth_date, '%m-%d') = '02-29'
            AND to_char(due_on, '%m-%d') = '03-01'
            AND to_char(due_on - INTERVAL '1 day', '%m-%d') = '02-28'
        )
),

churn_warning AS (
    SELECT
        customer_id,
        as_of,
        cast(as_of AS DATE) AS due_on,
        cast(string_agg(concat(rule, ' ', round(value, 2)), ', ' ORDER BY rule) AS VARCHAR) AS evidence
    FROM insights.churn_warnings
    GROUP BY customer_id, as_of
),

due AS (
    SELECT
        customer_id,
        as_of,
        due_on,
        concat('last on ', last_on, ', median gap ', median_gap_days, ' days') AS evidence
    FROM insights.repurchase_cycles
    WHERE due_on >= cast(as_of AS DATE) AND due_on < cast(as_of AS DATE) + 7
),

in_force AS (
    SELECT s.as_of, c.coupon_id, c.product_id
    FROM (SELECT DISTINCT as_of FROM spine) AS s
    INNER JOIN core.coupons AS c ON c.event_time < s.as_of AND c.known_time < s.as_of
    LEFT JOIN core.campaigns AS g ON g.campaign_id = c.campaign_id AND g.known_time < s.as_of
    QUALIFY row_number() OVER (
        PARTITION BY s.as_of, c.coupon_id, c.product_id ORDER BY c.known_time DESC, g.known_time DESC NULLS LAST, g.event_time DESC
    ) = 1 AND coalesce(g.ended_at >= s.as_of, true)
),

bought AS (
    SELECT DISTINCT customer_id, as_of, product_id
    FROM features.known_lines
    WHERE NOT is_return AND event_time >= as_of - INTERVAL '365 days'
),

coupon AS (
    SELECT
        b.customer_id,
        b.as_of,
        cast(b.as_of AS DATE) AS due_on,
        concat(
            count(DISTINCT f.coupon_id), ' coupons, such as ', min(f.coupon_id), '; discounted share of purchases ',
            round(max(h.discounted_share), 2)
        ) AS evidence
    FROM bought AS b
    INNER JOIN in_force AS f ON f.as_of = b.as_of AND f.product_id = b.product_id
    INNER JOIN insights.behaviour AS h ON h.customer_id = b.customer_id AND h.as_of = b.as_of AND h.is_price_sensitive
    GROUP BY b.customer_id, b.as_of
)

SELECT customer_id, as_of, 'birthday' AS trigger, due_on, evidence
FROM birthday
UNION ALL
SELECT customer_id, as_of, 'churn_warning' AS trigger, due_on, evidence
FROM churn_warning
UNION ALL
SELECT customer_id, as_of, 'due' AS trigger, due_on, evidence
FROM due
UNION ALL
SELECT customer_id, as_of, 'coupon' AS trigger, due_on, evidence
FROM coupon
