-- Demographics: who and where a customer is, as far as it was known at the cut-off, as one long table for insights.tags and
-- insights.segments. One row per customer, cut-off and attribute that is known.
-- owner: perennial
-- grain: customer_id, as_of, attribute
-- check: accepted(attribute, age_band, gender, country, city)
-- check: not_null(value)
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- attribute: age_band, gender, country or city.
-- value: band of ten years, such as 30-39, that the age at the cut-off lies in; gender as the source codes it; country; city.
WITH
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
    'age_band' AS attribute,
    concat(age / 10 * 10, '-', age / 10 * 10 + 9) AS value
FROM ages
WHERE age BETWEEN 0 AND 119
UNION ALL
SELECT customer_id, as_of, 'gender' AS attribute, gender AS value
FROM features.known_customers
WHERE gender IS NOT NULL
UNION ALL
SELECT customer_id, as_of, 'country' AS attribute, country AS value
FROM features.known_customers
WHERE country IS NOT NULL
UNION ALL
SELECT customer_id, as_of, 'city' AS attribute, city AS value
FROM features.known_customers
WHERE city IS NOT NULL
