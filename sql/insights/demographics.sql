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
known AS (
    SELECT
        customer_id,
        as_of,
        -- Days over the mean length of a year would be a day off at some birthdays.
        cast(date_part('year', as_of) - date_part('year', birth_date) AS BIGINT)
            - CASE
                WHEN 100 * date_part('month', as_of) + date_part('day', as_of)
                    < 100 * date_part('month', birth_date) + date_part('day', birth_date) THEN 1
                ELSE 0
            END AS age,
        gender,
        country,
        city
    FROM features.known_customers
),

names AS (
    SELECT attribute
    FROM (VALUES ('age_band'), ('gender'), ('country'), ('city')) AS listed (attribute)
),

valued AS (
    SELECT
        k.customer_id,
        k.as_of,
        n.attribute,
        CASE n.attribute
            WHEN 'age_band' THEN CASE WHEN k.age BETWEEN 0 AND 119 THEN concat(k.age / 10 * 10, '-', k.age / 10 * 10 + 9) END
            WHEN 'gender' THEN k.gender
            WHEN 'country' THEN k.country
            ELSE k.city
        END AS value
    FROM known AS k
    CROSS JOIN names AS n
)

SELECT customer_id, as_of, attribute, value
FROM valued
WHERE value IS NOT NULL
