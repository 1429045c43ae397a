-- Recommendations: at most ten products for each customer that he has not bought, with a reason. One row per customer, cut-off and rank.
-- Lists of several recommenders are blended by reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): a product gets
-- weight / (smoothing + rank) from each list that it is on, so that scores of different scales need not be compared. The
-- recommenders learn, for each cut-off alone, from what the customers of the spine bought before it. Weights and rules are
-- the first step below: a project that wants others overrides this file and changes that line alone.
-- owner: perennial
-- grain: customer_id, as_of, rank
-- check: range(rank, 1, 10)
-- check: not_null(product_id, score, source, reason)
-- check: unique(customer_id, as_of, product_id)
-- customer_id: customer of the spine; one without purchases gets what is popular.
-- as_of: cut-off of the spine row; only what was known before it counts.
-- rank: place on the list, 1 for the best.
-- product_id: a product that was in the catalogue or sold before the cut-off and was not discontinued, that is sold once but
-- not in the last gone_days, and at most per_category of one category. One that the customer bought is left out unless it is
-- due again: bought again by again_share of its buyers (ten or more) and by the customer, whose mean gap has passed.
-- score: sum over the lists of weight / (smoothing + rank).
-- source: the lists that it is on: neighbours (bought by the same customers), factors (implicit ALS), content (described
-- alike), model (newest scores.next_purchase at or before the cut-off), popular (most buyers in the customer's country, or
-- everywhere where the country has fewer than min_buyers) and again (due again).
-- reason: what to tell the customer, from the list that adds most.
WITH
rules AS (
    SELECT *
    FROM (VALUES (1.0, 1.0, 1.0, 1.0, 0.2, 1.0, 60.0, 3, 180, 0.5, 100)) AS listed
        (neighbours, factors, content, model, popular, again, smoothing, per_category, gone_days, again_share, min_buyers)
),

cut_offs AS (
    SELECT DISTINCT as_of
    FROM spine
),

bought AS (
    SELECT
        customer_id,
        as_of,
        product_id,
        count(*) AS times,
        count(DISTINCT cast(event_time AS DATE)) AS count_days,
        min(cast(event_time AS DATE)) AS first_on,
        max(cast(event_time AS DATE)) AS last_on
    FROM features.known_lines
    WHERE NOT is_return AND product_id IS NOT NULL
    GROUP BY customer_id, as_of, product_id
),

sales AS (
    SELECT
        as_of,
        product_id,
        count(*) AS count_buyers,
        avg(CASE WHEN count_days > 1 THEN 1.0 ELSE 0.0 END) AS again_share,
        max(last_on) AS last_on
    FROM bought
    GROUP BY as_of, product_id
),

catalogue AS (
    SELECT
        c.as_of,
        p.product_id,
        coalesce(p.name, p.product_id) AS name,
        p.category,
        p.subcategory,
        p.brand,
        2.0 * ln(CASE WHEN p.price > 0.0 THEN p.price END) AS price_band
    FROM cut_offs AS c
    INNER JOIN core.product_versions AS p
        ON p.event_time < c.as_of
        AND p.known_time < c.as_of
        AND (p.superseded_at IS NULL OR p.superseded_at >= c.as_of)
),

offered AS (
    SELECT
        coalesce(s.as_of, p.as_of) AS as_of,
        coalesce(s.product_id, p.product_id) AS product_id,
        coalesce(p.category, concat('of ', coalesce(s.product_id, p.product_id))) AS category
    FROM sales AS s
    FULL JOIN catalogue AS p ON p.as_of = s.as_of AND p.product_id = s.product_id
    CROSS JOIN rules AS r
    WHERE s.last_on IS NULL OR cast(s.as_of AS DATE) - s.last_on <= r.gone_days
),

-- A price counts for the two nearest of the bands that are a factor of e^0.5 apart, by how near it is to each.
attributes AS (
    SELECT
        as_of,
        product_id,
        unnest(string_to_array(trim(regexp_replace(lower(name), '[^\p{L}\p{N}]+', ' ', 'g')), ' ')) AS attribute,
        1.0 AS weight
    FROM catalogue
    UNION ALL
    SELECT as_of, product_id, concat('category: ', category) AS attribute, 1.0 AS weight
    FROM catalogue
    WHERE category IS NOT NULL
    UNION ALL
    SELECT as_of, product_id, concat('subcategory: ', subcategory) AS attribute, 1.0 AS weight
    FROM catalogue
    WHERE subcategory IS NOT NULL
    UNION ALL
    SELECT as_of, product_id, concat('brand: ', brand) AS attribute, 1.0 AS weight
    FROM catalogue
    WHERE brand IS NOT NULL
    UNION ALL
    SELECT as_of, product_id, concat('price: ', floor(price_band)) AS attribute, 1.0 + floor(price_band) - price_band AS weight
    FROM catalogue
    WHERE price_band IS NOT NULL
    UNION ALL
    SELECT as_of, product_id, concat('price: ', floor(price_band) + 1.0) AS attribute, price_band - floor(price_band) AS weight
    FROM catalogue
    WHERE price_band > floor(price_band)
),

alike AS (
    SELECT *
    FROM similar_items((SELECT as_of, product_id, attribute, weight FROM attributes WHERE attribute <> ''), count => 20)
),

-- The newest twenty products say what a customer likes.
tastes AS (
    SELECT customer_id, as_of, product_id
    FROM bought
    QUALIFY row_number() OVER (PARTITION BY customer_id, as_of ORDER BY last_on DESC, product_id) <= 20
),

liked AS (
    SELECT
        t.customer_id,
        t.as_of,
        a.similar AS product_id,
        round(sum(a.similarity), 9) AS score,
        first_value(t.product_id ORDER BY a.similarity DESC, t.product_id) AS because
    FROM tastes AS t
    INNER JOIN alike AS a ON a.as_of = t.as_of AND a.product_id = t.product_id
    LEFT ANTI JOIN bought AS b ON b.customer_id = t.customer_id AND b.as_of = t.as_of AND b.product_id = a.similar
    GROUP BY t.customer_id, t.as_of, a.similar
),

content AS (
    SELECT
        customer_id,
        as_of,
        product_id,
        row_number() OVER (PARTITION BY customer_id, as_of ORDER BY score DESC, product_id) AS rank,
        because
    FROM liked
),

scorings AS (
    SELECT c.as_of, max(s.as_of) AS scored_as_of, last_value(s.scored_at ORDER BY s.as_of, s.scored_at) AS scored_at
    FROM cut_offs AS c
    INNER JOIN scores.next_purchase AS s ON s.as_of <= c.as_of
    WHERE s.task = 'next_purchase' AND s.rank = 1
    GROUP BY c.as_of
),

predicted AS (
    SELECT p.customer_id, s.as_of, p.product_id, p.rank
    FROM scorings AS s
    INNER JOIN scores.next_purchase AS p ON p.as_of = s.scored_as_of AND p.scored_at = s.scored_at
    WHERE p.task = 'next_purchase'
),

buyers AS (
    SELECT b.as_of, c.country, b.customer_id, b.product_id
    FROM bought AS b
    INNER JOIN features.known_customers AS c ON c.customer_id = b.customer_id AND c.as_of = b.as_of
    WHERE c.country IS NOT NULL
),

countries AS (
    SELECT b.as_of, b.country
    FROM buyers AS b
    CROSS JOIN rules AS r
    GROUP BY b.as_of, b.country
    HAVING count(DISTINCT b.customer_id) >= max(r.min_buyers)
),

counted AS (
    SELECT as_of, country, product_id, count(*) AS count_buyers
    FROM buyers
    GROUP BY as_of, country, product_id
    UNION ALL
    SELECT as_of, '' AS country, product_id, count_buyers
    FROM sales
),

best_sellers AS (
    SELECT as_of, country, product_id, row_number() OVER (PARTITION BY as_of, country ORDER BY count_buyers DESC, product_id) AS rank
    FROM counted
),

popular AS (
    SELECT c.customer_id, c.as_of, s.product_id, s.rank, k.country AS because
    FROM features.known_customers AS c
    LEFT JOIN countries AS k ON k.as_of = c.as_of AND k.country = c.country
    INNER JOIN best_sellers AS s ON s.as_of = c.as_of AND s.country = coalesce(k.country, '')
    WHERE s.rank <= 40
),

due AS (
    SELECT
        b.customer_id,
        b.as_of,
        b.product_id,
        row_number() OVER (PARTITION BY b.customer_id, b.as_of ORDER BY b.times DESC, b.product_id) AS rank
    FROM bought AS b
    INNER JOIN sales AS s ON s.as_of = b.as_of AND s.product_id = b.product_id
    CROSS JOIN rules AS r
    WHERE s.count_buyers >= 10
        AND s.again_share >= r.again_share
        AND b.count_days > 1
        AND (cast(b.as_of AS DATE) - b.last_on) * (b.count_days - 1) >= b.last_on - b.first_on
),

fresh AS (
    SELECT customer_id, as_of, product_id, rank, 'neighbours' AS list, because
    FROM recommendations((SELECT as_of, customer_id, product_id, times FROM bought), count => 30)
    UNION ALL
    SELECT customer_id, as_of, product_id, rank, 'factors' AS list, because
    FROM recommendations((SELECT as_of, customer_id, product_id, times FROM bought), model => 'als', count => 30)
    UNION ALL
    SELECT customer_id, as_of, product_id, rank, 'content' AS list, because
    FROM content
    WHERE rank <= 30
    UNION ALL
    SELECT customer_id, as_of, product_id, rank, 'model' AS list, NULL AS because
    FROM predicted
    UNION ALL
    SELECT customer_id, as_of, product_id, rank, 'popular' AS list, because
    FROM popular
),

lists AS (
    SELECT f.*
    FROM fresh AS f
    LEFT ANTI JOIN bought AS b ON b.customer_id = f.customer_id AND b.as_of = f.as_of AND b.product_id = f.product_id
    UNION ALL
    SELECT customer_id, as_of, product_id, rank, 'again' AS list, NULL AS because
    FROM due
),

-- A product is once on a list, so max takes the one value there is.
parts AS (
    SELECT
        l.customer_id,
        l.as_of,
        l.product_id,
        coalesce(max(r.neighbours / (r.smoothing + l.rank)) FILTER (WHERE l.list = 'neighbours'), 0.0) AS neighbours,
        coalesce(max(r.factors / (r.smoothing + l.rank)) FILTER (WHERE l.list = 'factors'), 0.0) AS factors,
        coalesce(max(r.content / (r.smoothing + l.rank)) FILTER (WHERE l.list = 'content'), 0.0) AS content,
        coalesce(max(r.model / (r.smoothing + l.rank)) FILTER (WHERE l.list = 'model'), 0.0) AS model,
        coalesce(max(r.popular / (r.smoothing + l.rank)) FILTER (WHERE l.list = 'popular'), 0.0) AS popular,
        coalesce(max(r.again / (r.smoothing + l.rank)) FILTER (WHERE l.list = 'again'), 0.0) AS again,
        max(l.because) FILTER (WHERE l.list = 'neighbours') AS bought_with,
        max(l.because) FILTER (WHERE l.list = 'content') AS similar_to,
        max(l.because) FILTER (WHERE l.list = 'popular') AS country
    FROM lists AS l
    CROSS JOIN rules AS r
    GROUP BY l.customer_id, l.as_of, l.product_id
),

fused AS (
    SELECT
        p.*,
        o.category,
        p.neighbours + p.factors + p.content + p.model + p.popular + p.again AS score,
        greatest(p.neighbours, p.factors, p.content, p.model, p.popular, p.again) AS largest
    FROM parts AS p
    INNER JOIN offered AS o ON o.as_of = p.as_of AND o.product_id = p.product_id
),

in_category AS (
    SELECT *, row_number() OVER (PARTITION BY customer_id, as_of, category ORDER BY score DESC, product_id) AS category_rank
    FROM fused
    WHERE score > 0.0
),

ranked AS (
    SELECT i.*, row_number() OVER (PARTITION BY i.customer_id, i.as_of ORDER BY i.score DESC, i.product_id) AS rank
    FROM in_category AS i
    CROSS JOIN rules AS r
    WHERE i.category_rank <= r.per_category
)

SELECT
    k.customer_id,
    k.as_of,
    k.rank,
    k.product_id,
    k.score,
    concat_ws(
        ', ',
        CASE WHEN k.neighbours > 0.0 THEN 'neighbours' END,
        CASE WHEN k.factors > 0.0 THEN 'factors' END,
        CASE WHEN k.content > 0.0 THEN 'content' END,
        CASE WHEN k.model > 0.0 THEN 'model' END,
        CASE WHEN k.popular > 0.0 THEN 'popular' END,
        CASE WHEN k.again > 0.0 THEN 'again' END
    ) AS source,
    CASE k.largest
        WHEN k.again THEN 'due again'
        WHEN k.neighbours THEN concat('bought with ', coalesce(w.name, k.bought_with))
        WHEN k.content THEN concat('like ', coalesce(a.name, k.similar_to))
        WHEN k.model THEN 'next purchase by the model'
        WHEN k.factors THEN 'bought by customers with the same taste'
        ELSE coalesce(concat('popular in ', nullif(k.country, '')), 'best seller')
    END AS reason
FROM ranked AS k
LEFT JOIN catalogue AS w ON w.as_of = k.as_of AND w.product_id = k.bought_with
LEFT JOIN catalogue AS a ON a.as_of = k.as_of AND a.product_id = k.similar_to
WHERE k.rank <= 10
