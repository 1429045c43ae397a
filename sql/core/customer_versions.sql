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
versions AS (
    SELECT *, lead(known_time) OVER (PARTITION BY customer_id ORDER BY known_time, event_time, name, email) AS superseded_at
    FROM core.customers
)

-- A version that was superseded as it became known was never in force.
SELECT *
FROM versions
WHERE superseded_at IS NULL OR superseded_at > known_time
