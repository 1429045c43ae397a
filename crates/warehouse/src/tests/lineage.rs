//! Each column's sources, against answers worked out by hand from the SQL.

use super::*;

/// The SQL of a view over `core.orders` (o) and others, and the sources of its columns, `column <- table.column …`.
async fn assert_traced(sql: &str, expected: &[&str]) {
    let sql = format!("-- A view.\n{sql}");
    let shop = Shop::new(&[("insights/traced.sql", &sql), ("features/amounts.sql", AMOUNTS)]).await;
    let lineage = shop.warehouse.lineage().await.unwrap();
    let derivation = lineage.derivations.iter().find(|d| d.name == "insights.traced").unwrap();
    let column =
        |column: &crate::DerivedColumn| format!("{} <- {}", column.name, column.from.join(" ")).trim().to_string();
    let traced: Vec<String> = derivation.columns.iter().map(column).collect();
    assert_eq!(traced, expected, "{sql}\n{:?}", derivation.untold);
}

const AMOUNTS: &str =
    "-- Amounts.\nSELECT customer_id, sum(amount) AS total, count(*) AS n FROM core.orders GROUP BY customer_id";

#[tokio::test]
async fn projections_aliases_and_literals() {
    let sql =
        "SELECT o.amount - discount AS net, upper(channel) AS c, 1 AS one, CASE WHEN status = 'x' THEN amount END AS x
               FROM core.orders AS o WHERE campaign_id IS NOT NULL ORDER BY event_time LIMIT 3";
    let expected = [
        "net <- core.orders.amount core.orders.discount",
        "c <- core.orders.channel",
        "one <-",
        "x <- core.orders.amount core.orders.status",
    ];
    assert_traced(sql, &expected).await;
}

#[tokio::test]
async fn joins_and_aggregates_with_filters_and_counts() {
    let sql = "WITH sums AS (
                   SELECT o.customer_id, sum(o.amount) FILTER (WHERE o.status = 'completed') AS total, count(*) AS n
                   FROM core.orders AS o LEFT JOIN core.events AS e ON e.customer_id = o.customer_id GROUP BY o.customer_id)
               SELECT c.customer_id, c.name, s.total, s.n FROM core.customers AS c INNER JOIN sums AS s USING (customer_id)";
    let expected = [
        "customer_id <- core.customers.customer_id",
        "name <- core.customers.name",
        "total <- core.orders.amount core.orders.status",
        "n <- core.events.* core.orders.*",
    ];
    assert_traced(sql, &expected).await;
}

#[tokio::test]
async fn unions_windows_and_distinct() {
    let sql = "SELECT DISTINCT customer_id, row_number() OVER (PARTITION BY channel ORDER BY event_time) AS n FROM core.orders
               UNION ALL SELECT customer_id, dwell_seconds FROM core.events
               UNION SELECT * FROM (SELECT DISTINCT ON (customer_id) customer_id, value FROM core.events ORDER BY customer_id)";
    let expected = [
        "customer_id <- core.events.customer_id core.orders.customer_id",
        "n <- core.events.dwell_seconds core.events.value core.orders.channel core.orders.event_time",
    ];
    assert_traced(sql, &expected).await;
}

#[tokio::test]
async fn subqueries_correlated_or_not() {
    let sql =
        "SELECT o.order_id, (SELECT max(e.value) FROM core.events AS e WHERE e.customer_id = o.customer_id) AS best,
                   (SELECT max(e.value) + o.amount FROM core.events AS e) AS both,
                   o.customer_id IN (SELECT t.customer_id FROM core.touches AS t) AS touched
               FROM core.orders AS o
               WHERE EXISTS (SELECT 1 FROM core.customers AS c WHERE c.customer_id = o.customer_id)";
    let expected = [
        "order_id <- core.orders.order_id",
        "best <- core.events.value",
        "both <- core.events.value core.orders.amount",
        "touched <- core.orders.customer_id core.touches.customer_id",
    ];
    assert_traced(sql, &expected).await;
}

#[tokio::test]
async fn semi_joins_values_unnest_and_recursion() {
    let sql = "WITH RECURSIVE friends AS (
                   SELECT customer_id, other_customer_id AS friend FROM core.social_edges
                   UNION ALL
                   SELECT f.customer_id, e.other_customer_id FROM friends AS f
                   INNER JOIN core.social_edges AS e ON e.customer_id = f.friend)
               SELECT f.customer_id, f.friend, v.x, unnest(make_array(f.friend, o.order_id)) AS either
               FROM friends AS f LEFT SEMI JOIN core.customers AS c ON c.customer_id = f.friend
               CROSS JOIN (VALUES (1)) AS v(x) INNER JOIN core.orders AS o ON o.customer_id = f.friend";
    let expected = [
        "customer_id <- core.social_edges.customer_id",
        "friend <- core.social_edges.other_customer_id",
        "x <-",
        "either <- core.orders.order_id core.social_edges.other_customer_id",
    ];
    assert_traced(sql, &expected).await;
}

#[tokio::test]
async fn a_view_is_where_the_trace_ends_and_the_next_begins() {
    let sql = "SELECT a.customer_id, a.total / a.n AS mean, s.as_of FROM features.amounts AS a INNER JOIN spine AS s USING (customer_id)";
    let expected = [
        "customer_id <- features.amounts.customer_id",
        "mean <- features.amounts.n features.amounts.total",
        "as_of <- spine.as_of",
    ];
    assert_traced(sql, &expected).await;
}

#[tokio::test]
async fn staging_and_steps_lead_from_raw_to_published() {
    let shop = Shop::tiny().await;
    let lineage = shop.warehouse.lineage().await.unwrap();
    let staged = lineage.derivations.iter().find(|d| d.by == "sql/staging/tiny/orders.sql").unwrap();
    assert_eq!(staged.untold.as_deref(), Some("raw.tiny_orders is not loaded"));
    let orders = shop.write("orders.csv", TINY_ORDERS);
    shop.load("raw.tiny_orders", &[orders]).await.unwrap();

    let lineage = shop.warehouse.lineage().await.unwrap();
    let near = lineage.around("features.customer.total_amount", true).unwrap();
    let names: Vec<&str> = near.derivations.iter().map(|d| d.name.as_str()).collect();
    for name in [
        "core.orders",
        "core.order_versions",
        "features.known_orders",
        "features.value",
        "marts.customer_360",
        "published.customer_360",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let of_amount = near.derivations.iter().find(|d| d.by == "sql/staging/tiny/orders.sql").unwrap();
    let from: Vec<(&str, &[String])> = of_amount.columns.iter().map(|c| (c.name.as_str(), c.from.as_slice())).collect();
    assert!(from.contains(&("amount", &["raw.tiny_orders.amount".to_string()])), "{from:?}");

    let tables = lineage.around("raw.tiny_orders", false).unwrap();
    assert!(tables.derivations.iter().any(|d| d.name == "published.customer_360"));
    assert!(tables.derivations.iter().all(|d| d.name != "core.products"));
    assert_says(lineage.around("core.order", false), &["core.orders"]);
    assert_says(lineage.around("core.orders.amont", true), &["amount"]);
}

#[tokio::test]
async fn every_shipped_view_is_told_by_column() {
    let shop = Shop::new(&[]).await;
    for derivation in shop.warehouse.lineage().await.unwrap().derivations {
        let is_view = !derivation.by.starts_with("sql/staging/");
        assert!(!is_view || derivation.untold.is_none(), "{}: {:?}", derivation.name, derivation.untold);
    }
}
