-- Consents that customers of the simulated shop gave and withdrew.
-- owner: perennial
-- grain: consent_id
-- consent_id: consent_id.
-- customer_id: customer_id.
-- event_time: changed_at.
-- known_time: when the rows were loaded, or the decision for a historical load.
-- purpose: purpose.
-- channel: channel in lower case; NULL for all.
-- is_granted: granted.
SELECT
    consent_id,
    customer_id,
    cast(changed_at AS TIMESTAMP) AS event_time,
    coalesce(_loaded_at, cast(changed_at AS TIMESTAMP)) AS known_time,
    purpose,
    nullif(lower(channel), '') AS channel,
    cast(granted AS BOOLEAN) AS is_granted
FROM raw.shop_consents
