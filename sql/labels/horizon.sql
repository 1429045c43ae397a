-- The horizon of each spine row: the one place that says which time a label may look at, and whether all of it was observed.
-- owner: perennial
-- grain: customer_id, as_of
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row, the first instant of the horizon.
-- ends_at: first instant after the horizon.
-- is_complete: whether the horizon ends no later than the data; labels of an incomplete one are censored.
SELECT
    s.customer_id,
    s.as_of,
    s.as_of + arrow_cast(p.horizon_days * 86400000000, 'Duration(Microsecond)') AS ends_at,
    s.as_of + arrow_cast(p.horizon_days * 86400000000, 'Duration(Microsecond)') <= p.observed_until AS is_complete
FROM spine AS s
CROSS JOIN params AS p
