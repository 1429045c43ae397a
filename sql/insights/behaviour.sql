-- Behaviour: how a customer shops, as yes or no with the share that decided. One row per customer and cut-off.
-- A share says nothing about few purchases, so each rule names how many it asks for; with fewer the answer is false.
-- owner: perennial
-- grain: customer_id, as_of
-- check: range(browsing_share, 0, 1)
-- check: range(impulse_share, 0, 1)
-- check: range(top_brand_share, 0, 1)
-- check: range(discounted_share, 0, 1)
-- check: range(top_season_share, 0, 1)
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- is_frequent_browser: whether at least every tenth of the last 90 days had a view or search.
-- browsing_share: share of those 90 days; 0 for none.
-- is_impulse: whether at least half of three or more purchases came without browsing.
-- impulse_share: share of the purchases, on channels that have events at all, without a view, search, cart or favourite
-- in the 7 days before, other than in the last hour, in which the purchase itself is made; NULL without such purchases.
-- is_brand_loyal: whether at least 60 % of five or more lines are of one brand.
-- top_brand: brand with most lines, the first in the alphabet on a tie; NULL for none.
-- top_brand_share: share of that brand in the lines that have one.
-- is_price_sensitive: whether at least half of three or more purchases had a discount.
-- discounted_share: share of the purchases with a discount; NULL without purchases.
-- is_seasonal: whether at least 70 % of four or more purchase days, in two or more years, fall in one quarter of the year.
-- top_quarter: quarter of the year, 1 to 4, with most purchase days, the earlier one on a tie; NULL for none.
-- top_season_share: share of that quarter in the purchase days.
WITH
browsing AS (
    SELECT customer_id, as_of, event_time, cast(event_time AS DATE) AS browsed_on
    FROM features.known_events
    WHERE type IN ('view', 'search', 'cart', 'favourite')
),

browsed AS (
    SELECT customer_id, as_of, count(DISTINCT cast(event_time AS DATE)) / 90.0 AS browsing_share
    FROM features.known_events
    WHERE type IN ('view', 'search') AND event_time >= as_of - INTERVAL '90 days'
    GROUP BY customer_id, as_of
),

-- Tills have no events: a purchase there says nothing about browsing.
channels AS (
    SELECT DISTINCT as_of, channel
    FROM features.known_events
    WHERE type IN ('view', 'search', 'cart', 'favourite')
),

purchases AS (
    SELECT o.customer_id, o.as_of, o.order_id, o.event_time
    FROM features.known_orders AS o
    INNER JOIN channels AS c ON c.as_of = o.as_of AND c.channel = o.channel
    WHERE o.is_purchase
),

prepared AS (
    SELECT p.customer_id, p.as_of, count(*) AS count_prepared
    FROM purchases AS p
    LEFT SEMI JOIN browsing AS b
        ON b.customer_id = p.customer_id
        AND b.as_of = p.as_of
        AND b.event_time <= p.event_time - INTERVAL '1 hour'
        AND b.event_time >= p.event_time - INTERVAL '7 days'
    GROUP BY p.customer_id, p.as_of
),

impulses AS (
    SELECT
        p.customer_id,
        p.as_of,
        count(*) AS count_purchases,
        1.0 - coalesce(max(r.count_prepared), 0) / cast(count(*) AS DOUBLE) AS impulse_share
    FROM purchases AS p
    LEFT JOIN prepared AS r ON r.customer_id = p.customer_id AND r.as_of = p.as_of
    GROUP BY p.customer_id, p.as_of
),

-- A brand counts as known at the cut-off, like a category.
brand_lines AS (
    SELECT l.customer_id, l.as_of, p.brand, count(*) AS count_lines
    FROM features.known_lines AS l
    INNER JOIN core.product_versions AS p
        ON p.product_id = l.product_id
        AND p.event_time < l.as_of
        AND p.known_time < l.as_of
        AND (p.superseded_at IS NULL OR p.superseded_at >= l.as_of)
    WHERE NOT l.is_return AND p.brand IS NOT NULL
    GROUP BY l.customer_id, l.as_of, p.brand
),

brands AS (
    SELECT
        customer_id,
        as_of,
        sum(count_lines) AS count_lines,
        first_value(brand ORDER BY count_lines DESC, brand) AS top_brand,
        max(count_lines) / cast(sum(count_lines) AS DOUBLE) AS top_brand_share
    FROM brand_lines
    GROUP BY customer_id, as_of
),

quarter_days AS (
    SELECT
        customer_id,
        as_of,
        cast(date_part('quarter', ordered_on) AS BIGINT) AS quarter,
        count(*) AS count_days,
        min(date_part('year', ordered_on)) AS first_year,
        max(date_part('year', ordered_on)) AS last_year
    FROM features.purchase_days
    GROUP BY customer_id, as_of, cast(date_part('quarter', ordered_on) AS BIGINT)
),

seasons AS (
    SELECT
        customer_id,
        as_of,
        sum(count_days) AS count_days,
        max(last_year) > min(first_year) AS is_of_years,
        first_value(quarter ORDER BY count_days DESC, quarter) AS top_quarter,
        max(count_days) / cast(sum(count_days) AS DOUBLE) AS top_season_share
    FROM quarter_days
    GROUP BY customer_id, as_of
)

SELECT
    f.customer_id,
    f.as_of,
    coalesce(b.browsing_share, 0.0) >= 0.1 AS is_frequent_browser,
    coalesce(b.browsing_share, 0.0) AS browsing_share,
    coalesce(i.count_purchases >= 3 AND i.impulse_share >= 0.5, false) AS is_impulse,
    i.impulse_share,
    coalesce(m.count_lines >= 5 AND m.top_brand_share >= 0.6, false) AS is_brand_loyal,
    m.top_brand,
    m.top_brand_share,
    coalesce(f.count_orders >= 3 AND d.discounted_order_share >= 0.5, false) AS is_price_sensitive,
    d.discounted_order_share AS discounted_share,
    coalesce(s.count_days >= 4 AND s.is_of_years AND s.top_season_share >= 0.7, false) AS is_seasonal,
    s.top_quarter,
    s.top_season_share
FROM features.frequency AS f
INNER JOIN features.discounts AS d ON d.customer_id = f.customer_id AND d.as_of = f.as_of
LEFT JOIN browsed AS b ON b.customer_id = f.customer_id AND b.as_of = f.as_of
LEFT JOIN impulses AS i ON i.customer_id = f.customer_id AND i.as_of = f.as_of
LEFT JOIN brands AS m ON m.customer_id = f.customer_id AND m.as_of = f.as_of
LEFT JOIN seasons AS s ON s.customer_id = f.customer_id AND s.as_of = f.as_of
