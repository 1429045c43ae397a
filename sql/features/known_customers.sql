-- What was known about each customer at each cut-off: the point-in-time rule for customers' own attributes. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- pii: name, email, phone, birth_date
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row; the version here was known before it.
-- signed_up_at: when the customer signed up or was first seen; NULL, like all below, for a customer not known then or known to be deleted.
-- name: full name.
-- email: e-mail address.
-- phone: telephone number.
-- birth_date: date of birth.
-- gender: gender as the source codes it.
-- country: country of the customer.
-- city: city of the customer.
-- signup_channel: channel on which the customer signed up.
SELECT
    s.customer_id,
    s.as_of,
    c.event_time AS signed_up_at,
    c.name,
    c.email,
    c.phone,
    c.birth_date,
    c.gender,
    c.country,
    c.city,
    c.signup_channel
FROM spine AS s
LEFT JOIN core.customer_versions AS c
    ON c.customer_id = s.customer_id
    AND c.event_time < s.as_of
    AND c.known_time < s.as_of
    AND (c.superseded_at IS NULL OR c.superseded_at >= s.as_of)
    AND NOT coalesce(c.is_deleted, false)
