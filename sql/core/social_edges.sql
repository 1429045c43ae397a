-- Ties between customers: one row per version of a tie, such as a referral or a shared household; the newest known version counts.
-- owner: perennial
-- grain: edge_id, known_time
-- key: edge_id
-- edge_id: id of the tie.
-- customer_id: from whom the tie goes.
-- event_time: since when it holds.
-- known_time: when the company could have known it.
-- other_customer_id: to whom the tie goes.
-- kind: referral, household, follow or a kind of the source's own.
-- weight: strength of the tie.
CREATE TABLE core.social_edges (
    edge_id VARCHAR,
    customer_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP,
    other_customer_id VARCHAR,
    kind VARCHAR,
    weight DOUBLE
)
