-- What customers do besides buying: one row per version of an event; the newest known version counts.
-- owner: perennial
-- grain: event_id, known_time
-- key: event_id
-- check: dwell_seconds >= 0
-- check: not_null(type) severity warn
-- check: references(product_id, core.products.product_id) where exists (SELECT 1 FROM core.products LIMIT 1) severity warn
-- event_id: id of the event.
-- customer_id: who did it; NULL for an unknown visitor.
-- event_time: when it happened.
-- known_time: when the company could have known it.
-- type: view, search, cart, favourite, login, support, social or a type of the source's own.
-- channel: channel on which it happened, such as web, app, store or phone.
-- product_id: product concerned; NULL for none.
-- session_id: visit that the event belongs to.
-- device: device used, such as phone or desktop.
-- place: where it happened, such as a page, a shop or a city.
-- dwell_seconds: seconds spent on it.
-- value: number that the source attaches, such as a basket value.
CREATE TABLE core.events (
    event_id VARCHAR,
    customer_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP,
    type VARCHAR,
    channel VARCHAR,
    product_id VARCHAR,
    session_id VARCHAR,
    device VARCHAR,
    place VARCHAR,
    dwell_seconds DOUBLE,
    value DOUBLE
)
