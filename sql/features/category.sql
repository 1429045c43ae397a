-- Category mix: what a customer buys. One row per customer and cut-off.
-- owner: perennial
-- grain: customer_id, as_of
-- check: count_products <= count_lines
-- check: top_category_share > 0 and top_category_share <= 1
-- customer_id: customer of the spine.
-- as_of: cut-off of the spine row.
-- count_lines: order lines bought before the cut-off.
-- count_products: different products among them.
-- repeat_product_share: share of the lines whose product the customer had already bought; NULL without lines.
-- count_categories: different categories among them; products without a category don't count.
-- top_category: category with most lines, the first in the alphabet on a tie; NULL for none.
-- top_category_share: share of that category in the lines that have one.
-- category_concentration: sum of the squared shares of all categories, 1 when only one is bought.
WITH
products AS (
    SELECT
        customer_id,
        as_of,
        category,
        product_id,
        count(*) AS count_lines
    FROM features.known_lines
    WHERE NOT is_return AND product_id IS NOT NULL
    GROUP BY customer_id, as_of, category, product_id
),

categories AS (
    SELECT
        customer_id,
        as_of,
        category,
        count(*) AS count_products,
        cast(sum(count_lines) AS DOUBLE) AS count_lines
    FROM products
    GROUP BY customer_id, as_of, category
),

mixed AS (
    SELECT
        customer_id,
        as_of,
        cast(sum(count_lines) AS BIGINT) AS count_lines,
        sum(count_products) AS count_products,
        1.0 - sum(count_products) / sum(count_lines) AS repeat_product_share,
        count(category) AS count_categories,
        first_value(category ORDER BY count_lines DESC, category) FILTER (WHERE category IS NOT NULL) AS top_category,
        max(count_lines) FILTER (WHERE category IS NOT NULL) AS top_lines,
        sum(count_lines) FILTER (WHERE category IS NOT NULL) AS categorised_lines,
        sum(count_lines * count_lines) FILTER (WHERE category IS NOT NULL) AS squared_lines
    FROM categories
    GROUP BY customer_id, as_of
)

SELECT
    s.customer_id,
    s.as_of,
    coalesce(m.count_lines, 0) AS count_lines,
    coalesce(m.count_products, 0) AS count_products,
    m.repeat_product_share,
    coalesce(m.count_categories, 0) AS count_categories,
    m.top_category,
    m.top_lines / m.categorised_lines AS top_category_share,
    m.squared_lines / (m.categorised_lines * m.categorised_lines) AS category_concentration
FROM spine AS s
LEFT JOIN mixed AS m ON m.customer_id = s.customer_id AND m.as_of = s.as_of
