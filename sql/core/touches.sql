-- Contacts of campaigns with customers: one row per version of a message sent, opened or clicked; the newest known version counts.
-- owner: perennial
-- grain: touch_id, known_time
-- key: touch_id
-- check: accepted(kind, sent, open, click)
-- check: cost >= 0
-- check: references(campaign_id, core.campaigns.campaign_id) severity warn
-- touch_id: id of the contact.
-- customer_id: who was reached.
-- event_time: when it was sent, opened or clicked.
-- known_time: when the company could have known it.
-- campaign_id: campaign that it belongs to.
-- channel: channel of the message, such as email, sms, push or mail.
-- kind: sent, open or click.
-- cost: what this contact cost.
CREATE TABLE core.touches (
    touch_id VARCHAR,
    customer_id VARCHAR,
    event_time TIMESTAMP,
    known_time TIMESTAMP,
    campaign_id VARCHAR,
    channel VARCHAR,
    kind VARCHAR,
    cost DOUBLE
)
