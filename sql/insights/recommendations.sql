-- Recommendations: at most ten products for each customer that he has not bought, with a reason. One row per customer, cut-off and rank.
-- Lists of several recommenders are blended by reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): a product gets
-- weight / (smoothing + rank) from each list that it is on, so that scores of different scales need not be compared. The
-- recommenders learn, for each cut-off alone, from what the customers of the spine bought before it. Weights and rules are
-- the first step below: a project that wants others overrides this file and changes that line; how many of one category a
-- list may have is said in the last step.
-- owner: perennial
-- grain: customer_id, as_of, rank
-- check: range(rank, 1, 10)
-- check: not_null(product_id, score, source, reason)
-- check: unique(customer_id, as_of, product_id)
-- customer_id: customer of the spine; one without purchases gets what is popular.
-- as_of: cut-off of the spine row; only what was known before it counts.
-- rank: place on the list, 1 for the best.
-- product_id: a product that was in the catalogue or sold before the cut-off and was not discontinued, that is sold once but
-- not in the last gone_days, and at most three of one category. One that the customer bought is left out unless it is
-- due again: bought again by again_share of its buyers (ten or more) and by the customer, whose mean gap has passed.
-- score: sum over the lists of weight / (smoothing + rank).
-- source: the lists that it is on: neighbours (bought by the same customers), factors (implicit ALS), content (described
-- alike), model (newest scores.next_purchase at or before the cut-off), popular (most buyers in the customer's country, or
-- everywhere where the country has fewer than min_customers) and again (due again, which counts as rank 1).
-- reason: what to tell the customer, from the list that adds most.
WITH
rules AS (
    SELECT *
    FROM (VALUES (1.0, 1.0, 0.1, 1.0, 0.2, 1.0, 5.0, 180, 0.5, 100, 5000)) AS listed
        (neighbours, factors, content, model, popular, again, smoothing, gone_days, again_share, min_customers, most_alike)
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

-- Customers of a country with few are of no country, which is ''.
places AS (
    SELECT
        k.customer_id,
        k.as_of,
        CASE
            WHEN count(k.country) OVER (PARTITION BY k.as_of, k.country) >= r.min_customers THEN k.country
            ELSE ''
        END AS country
    FROM features.known_customers AS k
    CROSS JOIN rules AS r
),

-- Of each country, and of all: where country is NULL.
sales AS (
    SELECT
        b.as_of,
        b.product_id,
        p.country,
        count(*) AS count_buyers,
        avg(CASE WHEN b.count_days > 1 THEN 1.0 ELSE 0.0 END) AS again_share,
        max(b.last_on) AS last_on
    FROM bought AS b
    INNER JOIN places AS p ON p.customer_id = b.customer_id AND p.as_of = b.as_of
    GROUP BY GROUPING SETS ((b.as_of, b.product_id), (b.as_of, b.product_id, p.country))
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
        p.category,
        s.count_buyers >= 10 AND s.again_share >= r.again_share AS is_bought_again
    FROM (SELECT * FROM sales WHERE country IS NULL) AS s
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

-- What so many products have says little of any, and costs the square of their number.
telling AS (
    SELECT a.as_of, a.product_id, a.attribute, a.weight
    FROM attributes AS a
    CROSS JOIN rules AS r
    WHERE a.attribute <> ''
    QUALIFY count(*) OVER (PARTITION BY a.as_of, a.attribute) <= r.most_alike
),

alike AS (
    SELECT *
    FROM similar_items((SELECT as_of, product_id, attribute, weight FROM telling), count => 20)
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

best_sellers AS (
    SELECT
        as_of,
        coalesce(country, '') AS country,
        product_id,
        row_number() OVER (PARTITION BY as_of, country ORDER BY count_buyers DESC, product_id) AS rank
    FROM sales
    WHERE country IS NULL OR country <> ''
),

popular AS (
    SELECT p.customer_id, p.as_of, s.product_id, s.rank, p.country
    FROM places AS p
    INNER JOIN best_sellers AS s ON s.as_of = p.as_of AND s.country = p.country
    WHERE s.rank <= 20
),

-- The rank that each list gives; what a list does not say is NULL.
lists AS (
    SELECT customer_id, as_of, product_id, rank AS neighbours, because AS bought_with
    FROM recommendations((SELECT as_of, customer_id, product_id, 1 FROM bought), neighbours => 10, count => 20)
    UNION ALL BY NAME
    SELECT customer_id, as_of, product_id, rank AS factors
    FROM recommendations((SELECT as_of, customer_id, product_id, times FROM bought), model => 'als', count => 20)
    UNION ALL BY NAME
    SELECT customer_id, as_of, product_id, rank AS content, because AS similar_to
    FROM content
    WHERE rank <= 20
    UNION ALL BY NAME
    SELECT customer_id, as_of, product_id, rank AS model
    FROM predicted
    UNION ALL BY NAME
    SELECT customer_id, as_of, product_id, rank AS popular, country
    FROM popular
    UNION ALL BY NAME
    SELECT customer_id, as_of, product_id, count_days, last_on, last_on - first_on AS days
    FROM bought
),

-- A product is once on a list, so that max takes the one value there is.
together AS (
    SELECT
        customer_id,
        as_of,
        product_id,
        max(neighbours) AS neighbours,
        max(factors) AS factors,
        max(content) AS content,
        max(model) AS model,
        max(popular) AS popular,
        max(count_days) AS count_days,
        max(last_on) AS last_on,
        max(days) AS days,
        max(bought_with) AS bought_with,
        max(similar_to) AS similar_to,
        max(country) AS country
    FROM lists
    GROUP BY customer_id, as_of, product_id
),

weighed AS (
    SELECT
        t.customer_id,
        t.as_of,
        t.product_id,
        o.category,
        coalesce(r.neighbours / (r.smoothing + t.neighbours), 0.0) AS neighbours,
        coalesce(r.factors / (r.smoothing + t.factors), 0.0) AS factors,
        coalesce(r.content / (r.smoothing + t.content), 0.0) AS content,
        coalesce(r.model / (r.smoothing + t.model), 0.0) AS model,
        coalesce(r.popular / (r.smoothing + t.popular), 0.0) AS popular,
        CASE WHEN t.count_days > 0 THEN r.again / (r.smoothing + 1.0) ELSE 0.0 END AS again,
        t.bought_with,
        t.similar_to,
        t.country
    FROM together AS t
    INNER JOIN offered AS o ON o.as_of = t.as_of AND o.product_id = t.product_id
    CROSS JOIN rules AS r
    WHERE t.count_days IS NULL
        OR o.is_bought_again AND t.count_days > 1 AND (cast(t.as_of AS DATE) - t.last_on) * (t.count_days - 1) >= t.days
),

fused AS (
    SELECT
        *,
        neighbours + factors + content + model + popular + again AS score,
        greatest(neighbours, factors, content, model, popular, again) AS largest
    FROM weighed
    WHERE neighbours + factors + content + model + popular + again > 0.0
),

ranked AS (
    SELECT *
    FROM diversified((
        SELECT
            concat(cast(as_of AS VARCHAR), ' ', customer_id) AS list,
            product_id,
            score,
            [category] AS attributes,
            customer_id,
            as_of,
            neighbours,
            factors,
            content,
            model,
            popular,
            again,
            largest,
            bought_with,
            similar_to,
            country
        FROM fused
    ), count => 10, relevance => 1.0, most_alike => 3)
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
        WHEN k.popular THEN CASE WHEN k.country = '' THEN 'best seller' ELSE concat('popular in ', k.country) END
    END AS reason
FROM ranked AS k
LEFT JOIN catalogue AS w ON w.as_of = k.as_of AND w.product_id = k.bought_with
LEFT JOIN catalogue AS a ON a.as_of = k.as_of AND a.product_id = k.similar_to
