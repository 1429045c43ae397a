-- Customers with the time at which each version stopped counting.
-- owner: perennial
-- grain: customer_id, known_time
-- pii: name, email, phone, birth_date
-- customer_id: canonical text id of the customer, the key that every customer fact carries.
-- event_time: when the customer signed up, or was first seen where the source has no sign-up.
-- known_time: when the company could have known this version.
-- name: full name as the source wrote it.
-- email: e-mail address as the source wrote it, trimmed and in lower case.
-- phone: telephone number as the source wrote it.
-- birth_date: date of birth; NULL where missing or no real date.
-- gender: gender as the source codes it.
-- country: country of the customer.
-- city: city of the customer.
-- signup_channel: channel on which the customer signed up.
-- is_deleted: whether the source deleted the customer with this version; NULL where it never deletes.
-- superseded_at: when the next version of the same key became known; NULL for the version in force.
WITH
corrected AS (
    SELECT customer_id
    FROM core.customers
    GROUP BY customer_id
    HAVING count(*) > 1
),

-- Most keys have one version, so only the others are sorted; DISTINCT drops what was sent twice unchanged.
several AS (
    SELECT DISTINCT u.*
    FROM core.customers AS u
    LEFT SEMI JOIN corrected AS c ON c.customer_id = u.customer_id
),

single AS (
    SELECT u.*
    FROM core.customers AS u
    LEFT ANTI JOIN corrected AS c ON c.customer_id = u.customer_id
)

SELECT *, cast(NULL AS TIMESTAMP) AS superseded_at
FROM single
UNION ALL
SELECT *, lead(known_time) OVER (PARTITION BY customer_id ORDER BY known_time, event_time, name, email) AS superseded_at
FROM several
