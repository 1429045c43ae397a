-- Changes of loyalty tier and points: one row per version of a change; the newest known version counts.
-- owner: perennial
-- grain: loyalty_id, known_time
-- key: loyalty_id
-- loyalty_id: id of the change.
-- customer_id: whose membership changed.
-- event_time: when it changed.
-- known_time: when the company could have known it.
-- tier: tier from then on.
-- points: points earned, negative where spent.
CREATE TABLE core.loyalty (
    loyalty_id VARCHAR,
    customer_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP,
    tier VARCHAR,
    points DOUBLE
)
