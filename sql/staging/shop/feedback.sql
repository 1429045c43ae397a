-- What customers of the simulated shop answered when they were asked.
-- owner: perennial
-- grain: feedback_id
-- feedback_id: feedback_id.
-- customer_id: customer_id.
-- event_time: answered_at.
-- known_time: when the rows were loaded, or the answer for a historical load.
-- kind: kind in lower case: nps, review or csat.
-- score: score: 0 to 10 for nps, 1 to 5 for the others.
-- text: text; NULL for none.
SELECT
    feedback_id,
    customer_id,
    cast(answered_at AS TIMESTAMP) AS event_time,
    coalesce(_loaded_at, cast(answered_at AS TIMESTAMP)) AS known_time,
    lower(kind) AS kind,
    cast(score AS DOUBLE) AS score,
    nullif(trim(text), '') AS text
FROM raw.shop_feedback
