-- Channel mix: where a customer buys. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: main_channel_share > 0 and main_channel_share <= 1
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- count_channels: different channels bought on.
-- main_channel: channel with most purchases, the first in the alphabet on a tie; NULL for none.
-- main_channel_share: share of the purchases made on it.
-- channel_concentration: sum of the squared shares of all channels, 1 when only one is used.
-- last_channel: channel of the newest purchase, the first in the alphabet on a tie.
WITH
channels AS (
    SELECT
        customer_id,
        as_of,
        channel,
        cast(count(*) AS DOUBLE) AS count_orders,
        max(event_time) AS last_order_at
    FROM features.known_orders
    WHERE is_purchase AND channel IS NOT NULL
    GROUP BY customer_id, as_of, channel
),

mixed AS (
    SELECT
        customer_id,
        as_of,
        count(*) AS count_channels,
        first_value(channel ORDER BY count_orders DESC, channel) AS main_channel,
        max(count_orders) / sum(count_orders) AS main_channel_share,
        sum(count_orders * count_orders) / (sum(count_orders) * sum(count_orders)) AS channel_concentration,
        first_value(channel ORDER BY last_order_at DESC, channel) AS last_channel
    FROM channels
    GROUP BY customer_id, as_of
)

SELECT
    s.customer_id,
    s.as_of,
    coalesce(m.count_channels, 0) AS count_channels,
    m.main_channel,
    m.main_channel_share,
    m.channel_concentration,
    m.last_channel
FROM spine AS s
LEFT JOIN mixed AS m ON m.customer_id = s.customer_id AND m.as_of = s.as_of
