-- Customers of the simulated shop, cleaned: each copy once, no blanks around, e-mail in lower case, no impossible birth dates.
-- owner: perennial
-- grain: customer_id
-- customer_id: customer_id.
-- event_time: created_at, or the load where it is no date.
-- known_time: when the rows were loaded, or the sign-up for a historical load.
-- name: name without blanks around.
-- email: email without blanks around, in lower case; NULL where empty.
-- phone: phone without blanks around.
-- birth_date: birth_date; NULL where it is no date of any calendar.
-- gender: gender in lower case; NULL where empty.
-- country: country with capital first letters.
-- city: city without blanks around.
-- signup_channel: signup_channel in lower case.
WITH
cleaned AS (
    SELECT DISTINCT
        trim(customer_id) AS customer_id,
        coalesce(try_cast(created_at AS TIMESTAMP), _loaded_at) AS event_time,
        nullif(trim(name), '') AS name,
        nullif(lower(trim(email)), '') AS email,
        nullif(trim(cast(phone AS VARCHAR)), '') AS phone,
        try_cast(birth_date AS DATE) AS birth_date,
        nullif(lower(trim(gender)), '') AS gender,
        nullif(initcap(trim(country)), '') AS country,
        nullif(trim(city), '') AS city,
        lower(trim(signup_channel)) AS signup_channel,
        _loaded_at
    FROM raw.shop_customers
)

SELECT
    customer_id,
    event_time,
    coalesce(_loaded_at, event_time) AS known_time,
    name,
    email,
    phone,
    birth_date,
    gender,
    country,
    city,
    signup_channel
FROM cleaned
WHERE event_time IS NOT NULL AND customer_id <> ''
