-- Consents given and withdrawn: one row per version of a decision; the newest decision per purpose and channel is in force.
-- owner: perennial
-- grain: consent_id, known_time
-- key: consent_id
-- check: not_null(purpose, is_granted) severity warn
-- consent_id: id of the decision.
-- customer_id: who decided.
-- event_time: when it was decided.
-- known_time: when the company could have known it.
-- purpose: what the data may be used for, such as marketing or profiling.
-- channel: channel that the decision covers; NULL for all.
-- is_granted: whether consent was given (true) or withdrawn (false).
CREATE TABLE core.consents (
    consent_id VARCHAR,
    customer_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP,
    purpose VARCHAR,
    channel VARCHAR,
    is_granted BOOLEAN
)
