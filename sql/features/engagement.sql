-- Engagement: what a customer does besides buying, and whether it fades. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: count_events_7d <= count_events_30d
-- check: count_events_30d <= count_events_90d
-- check: count_events_90d <= count_events
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- count_events: events of any type before the cut-off.
-- count_events_7d: events in the 7 days before the cut-off.
-- count_events_30d: events in the 30 days before the cut-off.
-- count_events_90d: events in the 90 days before the cut-off.
-- count_views_90d: product views in the 90 days before the cut-off.
-- count_searches_90d: searches in the 90 days before the cut-off.
-- count_carts_90d: products put into a cart in the 90 days before the cut-off.
-- count_favourites_90d: products marked as favourite in the 90 days before the cut-off.
-- count_logins_90d: logins in the 90 days before the cut-off.
-- count_supports_90d: contacts with support in the 90 days before the cut-off.
-- count_socials_90d: social events, such as shares and posts, in the 90 days before the cut-off.
-- dwell_seconds_90d: seconds spent on all events of the 90 days before the cut-off.
-- days_since_event: days from the newest event to the cut-off; NULL for none.
-- days_since_login: days from the newest login to the cut-off; NULL for none.
-- engagement_fade: events per day of the last 30 days over those of the 90 days before them; NULL without any in those 90.
WITH
counted AS (
    SELECT
        customer_id,
        as_of,
        count(*) AS count_events,
        count(*) FILTER (WHERE event_time >= as_of - INTERVAL '7 days') AS count_events_7d,
        count(*) FILTER (WHERE event_time >= as_of - INTERVAL '30 days') AS count_events_30d,
        count(*) FILTER (WHERE event_time >= as_of - INTERVAL '90 days') AS count_events_90d,
        count(*) FILTER (WHERE event_time < as_of - INTERVAL '30 days' AND event_time >= as_of - INTERVAL '120 days') AS count_events_earlier,
        count(*) FILTER (WHERE type = 'view' AND event_time >= as_of - INTERVAL '90 days') AS count_views_90d,
        count(*) FILTER (WHERE type = 'search' AND event_time >= as_of - INTERVAL '90 days') AS count_searches_90d,
        count(*) FILTER (WHERE type = 'cart' AND event_time >= as_of - INTERVAL '90 days') AS count_carts_90d,
        count(*) FILTER (WHERE type = 'favourite' AND event_time >= as_of - INTERVAL '90 days') AS count_favourites_90d,
        count(*) FILTER (WHERE type = 'login' AND event_time >= as_of - INTERVAL '90 days') AS count_logins_90d,
        count(*) FILTER (WHERE type = 'support' AND event_time >= as_of - INTERVAL '90 days') AS count_supports_90d,
        count(*) FILTER (WHERE type = 'social' AND event_time >= as_of - INTERVAL '90 days') AS count_socials_90d,
        sum(dwell_seconds) FILTER (WHERE event_time >= as_of - INTERVAL '90 days') AS dwell_seconds_90d,
        max(event_time) AS last_event_at,
        max(event_time) FILTER (WHERE type = 'login') AS last_login_at
    FROM features.known_events
    GROUP BY customer_id, as_of
)

SELECT
    s.customer_id,
    s.as_of,
    coalesce(e.count_events, 0) AS count_events,
    coalesce(e.count_events_7d, 0) AS count_events_7d,
    coalesce(e.count_events_30d, 0) AS count_events_30d,
    coalesce(e.count_events_90d, 0) AS count_events_90d,
    coalesce(e.count_views_90d, 0) AS count_views_90d,
    coalesce(e.count_searches_90d, 0) AS count_searches_90d,
    coalesce(e.count_carts_90d, 0) AS count_carts_90d,
    coalesce(e.count_favourites_90d, 0) AS count_favourites_90d,
    coalesce(e.count_logins_90d, 0) AS count_logins_90d,
    coalesce(e.count_supports_90d, 0) AS count_supports_90d,
    coalesce(e.count_socials_90d, 0) AS count_socials_90d,
    coalesce(e.dwell_seconds_90d, 0.0) AS dwell_seconds_90d,
    date_part('epoch', s.as_of - e.last_event_at) / 86400.0 AS days_since_event,
    date_part('epoch', s.as_of - e.last_login_at) / 86400.0 AS days_since_login,
    (e.count_events_30d / 30.0) / nullif(e.count_events_earlier / 90.0, 0.0) AS engagement_fade
FROM spine AS s
LEFT JOIN counted AS e ON e.customer_id = s.customer_id AND e.as_of = s.as_of
