-- Customers as the company knew them: one row per version of a customer; the newest known version counts.
-- owner: perennial
-- grain: customer_id, known_time
-- key: customer_id
-- pii: name, email, phone, birth_date
-- check: unique(customer_id) severity warn
-- check: matches(email, '^[^@ ]+@[^@ ]+[.][^@ ]+$') severity warn
-- check: range(birth_date, '1900-01-01', current_date) severity warn
-- check: missing(email) at most 100 % severity warn
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
CREATE TABLE core.customers (
    customer_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP,
    name VARCHAR,
    email VARCHAR,
    phone VARCHAR,
    birth_date DATE,
    gender VARCHAR,
    country VARCHAR,
    city VARCHAR,
    signup_channel VARCHAR,
    is_deleted BOOLEAN
)
