//! Queries run bucket by bucket against the engine as it comes, over the same random rows in one table in memory.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::DataType;
use datafusion::catalog::{MemTable, MemorySchemaProvider};
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;

use super::{BUCKETS, Shop, rows_of, texts};
use crate::SessionOptions;

/// Questions within customers, across them, and both; every row of every answer is told apart by its values.
const QUERIES: &[&str] = &[
    "SELECT customer_id, count(*), count(amount), sum(amount), avg(amount), min(event_time), max(channel),
        round(stddev(amount), 6), count(*) FILTER (WHERE amount > 10) FROM core.orders GROUP BY customer_id",
    "SELECT customer_id, event_time, count(*), sum(amount) FROM core.orders GROUP BY customer_id, event_time",
    "SELECT event_time, customer_id, count(DISTINCT channel) FROM core.orders GROUP BY event_time, customer_id",
    "SELECT customer_id, channel, count(*) FROM core.orders GROUP BY customer_id, channel",
    "SELECT customer_id, count(DISTINCT channel) FROM core.orders GROUP BY customer_id",
    "SELECT customer_id, count(DISTINCT channel), count(DISTINCT amount), count(DISTINCT event_time),
        count(DISTINCT order_id) FILTER (WHERE amount > 10), sum(amount) FROM core.orders GROUP BY customer_id",
    "SELECT channel, count(DISTINCT customer_id), sum(amount) FROM core.orders GROUP BY channel",
    "SELECT f.channel, o.event_time, count(DISTINCT o.customer_id) FROM core.orders o
        JOIN (SELECT customer_id, min(channel) AS channel FROM core.orders GROUP BY customer_id) f ON f.customer_id = o.customer_id
        GROUP BY f.channel, o.event_time",
    "SELECT customer_id, first_value(channel ORDER BY event_time DESC, known_time),
        array_agg(order_id ORDER BY event_time, known_time) FROM core.orders GROUP BY customer_id HAVING count(*) > 1",
    "SELECT DISTINCT customer_id FROM core.orders WHERE amount > 10",
    "SELECT s.customer_id, s.as_of, count(*), count(*) FILTER (WHERE o.ends IS NULL OR o.ends > s.as_of),
        count(nullif(substr(o.customer_id, 1, 2), 'c1')), count(o.order_id)
        FROM (SELECT DISTINCT customer_id, event_time AS as_of FROM core.orders) AS s
        LEFT JOIN (SELECT *, CASE WHEN amount > 10 THEN event_time + INTERVAL '2 days' END AS ends FROM core.orders) AS o
        ON o.customer_id = s.customer_id AND o.event_time < s.as_of GROUP BY s.customer_id, s.as_of",
    "SELECT DISTINCT customer_id, channel FROM core.orders",
    "SELECT count(*), sum(amount), min(customer_id) FROM core.orders",
    "SELECT customer_id, channel, count(*) FROM core.orders GROUP BY ROLLUP (customer_id, channel)",
    "SELECT upper(customer_id) AS c, count(*) FROM core.orders GROUP BY upper(customer_id)",
    "SELECT order_id, lag(event_time) OVER (PARTITION BY customer_id ORDER BY event_time, known_time),
        lag(event_time, 2) OVER (PARTITION BY customer_id ORDER BY event_time, known_time) FROM core.orders",
    "SELECT order_id, lag(amount) OVER (PARTITION BY customer_id ORDER BY event_time, known_time),
        lag(channel, 1, 'none') OVER (PARTITION BY customer_id ORDER BY event_time, known_time) FROM core.orders",
    "SELECT order_id, lead(event_time) OVER (PARTITION BY customer_id ORDER BY event_time, known_time),
        lag(event_time) OVER (PARTITION BY customer_id ORDER BY event_time DESC, known_time DESC),
        lag(channel) IGNORE NULLS OVER (PARTITION BY customer_id ORDER BY event_time, known_time) FROM core.orders",
    "SELECT order_id, lead(event_time) OVER (PARTITION BY customer_id ORDER BY event_time DESC, known_time DESC) FROM core.orders",
    "SELECT order_id, row_number() OVER (PARTITION BY customer_id ORDER BY event_time, known_time),
        sum(amount) OVER (PARTITION BY customer_id ORDER BY event_time RANGE INTERVAL '5' DAY PRECEDING) FROM core.orders",
    "SELECT order_id, row_number() OVER (PARTITION BY customer_id ORDER BY event_time, known_time),
        lag(amount) OVER (PARTITION BY customer_id ORDER BY event_time, known_time) FROM core.orders",
    "SELECT order_id, count(*) OVER (PARTITION BY customer_id), sum(amount) OVER (PARTITION BY customer_id),
        max(channel) OVER (PARTITION BY customer_id) FROM core.orders",
    "SELECT order_id, row_number() OVER (PARTITION BY customer_id, order_id ORDER BY known_time),
        count(amount) OVER (PARTITION BY customer_id, order_id), avg(amount) OVER (PARTITION BY customer_id, order_id),
        count(*) FILTER (WHERE amount > 10) OVER (PARTITION BY customer_id, order_id) FROM core.orders",
    "SELECT order_id, row_number() OVER (PARTITION BY channel ORDER BY event_time, known_time) FROM core.orders",
    "SELECT a.order_id, b.order_id FROM core.orders a JOIN core.orders b ON a.customer_id = b.customer_id AND a.event_time < b.event_time",
    "SELECT a.order_id, b.order_id FROM core.orders a LEFT JOIN core.orders b ON a.customer_id = b.customer_id AND b.amount > 20",
    "SELECT a.order_id, b.order_id FROM core.orders a FULL JOIN core.orders b ON a.customer_id = b.customer_id AND a.amount < b.amount",
    "SELECT a.order_id, b.order_id FROM core.orders a JOIN core.orders b ON a.channel = b.channel AND a.event_time < b.event_time",
    "SELECT f.id, f.v, sum(o.amount) FROM foreign f LEFT JOIN core.orders o ON o.customer_id = f.id GROUP BY f.id, f.v",
    "SELECT f.id, o.order_id FROM core.orders o LEFT JOIN foreign f ON o.customer_id = f.id AND f.v > 2",
    "SELECT f.id, o.order_id FROM core.orders o FULL JOIN foreign f ON o.customer_id = f.id",
    "SELECT f.id, o.order_id, o.n FROM (SELECT customer_id, max(order_id) AS order_id, count(*) AS n FROM core.orders GROUP BY customer_id) o
        RIGHT JOIN foreign f ON o.n = f.v",
    "SELECT o.customer_id, f.id, o.n FROM (SELECT customer_id, count(*) AS n FROM core.orders GROUP BY customer_id) o
        LEFT JOIN foreign f ON o.n = f.v",
    "SELECT o.customer_id, f.v, count(*) FILTER (WHERE o.amount > f.v) FROM core.orders o CROSS JOIN foreign f GROUP BY o.customer_id, f.v",
    "SELECT customer_id, count(*) FROM core.orders o WHERE EXISTS (SELECT 1 FROM foreign f WHERE f.id = o.customer_id) GROUP BY customer_id",
    "SELECT customer_id, count(*) FROM core.orders o WHERE customer_id NOT IN (SELECT id FROM foreign WHERE id IS NOT NULL) GROUP BY customer_id",
    "SELECT id FROM foreign WHERE id NOT IN (SELECT customer_id FROM core.orders)",
    "SELECT customer_id, count(*) FROM core.orders WHERE amount > (SELECT avg(amount) FROM core.orders) GROUP BY customer_id",
    "SELECT customer_id, sum(n) FROM (
        SELECT customer_id, count(*) AS n FROM core.orders GROUP BY customer_id
        UNION ALL SELECT customer_id, row_number() OVER (PARTITION BY channel ORDER BY event_time, known_time) AS n FROM core.orders
        UNION ALL SELECT id, v FROM foreign) GROUP BY customer_id",
    "WITH twice AS (SELECT order_id FROM core.orders GROUP BY order_id HAVING count(*) > 1)
        SELECT o.customer_id, count(*), sum(o.amount) FROM core.orders o LEFT ANTI JOIN twice t ON t.order_id = o.order_id GROUP BY o.customer_id",
    "SELECT n, count(*) FROM (SELECT customer_id, count(*) AS n FROM core.orders GROUP BY customer_id) GROUP BY n",
    "SELECT customer_id, count(*) FROM core.orders WHERE customer_id = 'c1' GROUP BY customer_id",
    "SELECT customer_id, count(*) FROM core.orders WHERE customer_id IN ('c1', 'c2') AND event_time >= TIMESTAMP '1970-01-11' GROUP BY customer_id",
    "SELECT customer_id, n FROM (SELECT customer_id, count(*) AS n FROM core.orders GROUP BY customer_id ORDER BY n DESC, customer_id LIMIT 3)",
    "SELECT c.customer_id, c.as_of, count(o.order_id), sum(o.amount) FROM (
            SELECT customer_id, as_of FROM (SELECT DISTINCT customer_id FROM core.orders WHERE customer_id IS NOT NULL)
            CROSS JOIN (VALUES (TIMESTAMP '1970-01-06'), (TIMESTAMP '1970-01-11'), (TIMESTAMP '1971-01-01')) AS d (as_of)) AS c
        LEFT JOIN core.orders AS o ON o.customer_id = c.customer_id AND o.event_time < c.as_of GROUP BY c.customer_id, c.as_of",
    "SELECT s.customer_id, s.as_of, s.tag, o.order_id, o.amount FROM spine s
        JOIN core.orders o ON o.customer_id = s.customer_id AND o.event_time < s.as_of AND o.known_time < s.as_of",
    "SELECT s.tag, s.as_of, o.order_id FROM spine s LEFT JOIN core.orders o ON o.customer_id = s.customer_id
        AND o.event_time < s.as_of AND o.event_time >= s.as_of - INTERVAL '5 days'",
    "SELECT s.customer_id, s.as_of, o.channel, cast(o.event_time AS DATE), count(*), sum(o.amount) FROM spine s JOIN core.orders o
        ON o.customer_id = s.customer_id AND o.event_time <= s.as_of GROUP BY s.customer_id, s.as_of, o.channel, cast(o.event_time AS DATE)",
    "SELECT customer_id, as_of, max(gap), first_value(gap ORDER BY day DESC), count(*) FROM (
            SELECT customer_id, as_of, day, day - lag(day) OVER (PARTITION BY customer_id, as_of ORDER BY day) AS gap FROM (
                SELECT s.customer_id, s.as_of, cast(o.event_time AS DATE) AS day FROM spine s
                JOIN core.orders o ON o.customer_id = s.customer_id AND o.event_time < s.as_of
                GROUP BY s.customer_id, s.as_of, cast(o.event_time AS DATE)))
        GROUP BY customer_id, as_of",
    "SELECT s.customer_id, s.as_of, count(*) FILTER (WHERE o.event_time >= s.as_of - INTERVAL '5 days'),
            sum(o.amount) FILTER (WHERE o.amount > 10 AND o.event_time > s.as_of - INTERVAL '3 days'), max(o.event_time), min(o.channel),
            count(*) FILTER (WHERE o.channel = 'ch1' AND o.event_time >= s.as_of - INTERVAL '5 days'), round(stddev(o.amount), 6),
            first_value(o.amount ORDER BY o.event_time DESC, o.known_time DESC) FILTER (WHERE o.channel = 'ch1'), avg(o.amount),
            last_value(o.order_id ORDER BY o.event_time, o.known_time), sum(coalesce(o.amount, 1.0)) FROM spine s
        JOIN core.orders o ON o.customer_id = s.customer_id AND o.event_time < s.as_of AND o.known_time < s.as_of
        GROUP BY s.customer_id, s.as_of",
    "SELECT s.customer_id, s.as_of, s.tag, count(*), count(o.order_id), sum(coalesce(o.amount, 1.0)), round(stddev(o.amount), 6),
            count(*) FILTER (WHERE o.event_time >= s.as_of - INTERVAL '5 days'), first_value(o.amount ORDER BY o.known_time)
        FROM spine s LEFT JOIN core.orders o ON o.customer_id = s.customer_id AND o.event_time < s.as_of
        GROUP BY s.customer_id, s.as_of, s.tag",
    "SELECT order_id, known_time, lead(known_time) OVER (PARTITION BY customer_id, order_id ORDER BY known_time),
        lag(channel) OVER (PARTITION BY customer_id, order_id ORDER BY known_time) FROM core.orders",
    "SELECT order_id, lead(event_time) OVER (PARTITION BY channel, customer_id ORDER BY known_time DESC),
        lag(order_id) OVER (PARTITION BY customer_id ORDER BY known_time) FROM core.orders",
    "SELECT customer_id, sum(amount) FROM (SELECT *, lead(known_time) OVER (PARTITION BY customer_id, order_id ORDER BY known_time) AS n
        FROM core.orders) WHERE n IS NULL OR n > known_time + INTERVAL '1 day' GROUP BY customer_id",
];

const DAY: i64 = 86_400_000_000;

/// Rows of orders in one append: order, customer, channel, day of the event, delay until it is known, amount in quarters.
type Rows = Vec<(u32, Option<u8>, Option<u8>, i64, i64, Option<i32>)>;

fn appends() -> impl Strategy<Value = Vec<Rows>> {
    let customer = prop_oneof![5 => (0u8..9).prop_map(Some), 1 => Just(None)];
    let channel = prop_oneof![5 => (0u8..3).prop_map(Some), 1 => Just(None)];
    let amount = prop_oneof![5 => (-50i32..200).prop_map(Some), 1 => Just(None)];
    let row = (0u32..1, customer, channel, 0i64..20, 0i64..3, amount);
    prop::collection::vec(prop::collection::vec(row, 0..40), 1..4).prop_map(|mut appends| {
        for (number, row) in (0..).zip(appends.iter_mut().flatten()) {
            // A few ids come twice, and no two rows are known at once: the order of all rows is told.
            row.0 = if number % 7 == 6 { number - 1 } else { number };
            row.4 = row.4 * DAY + i64::from(number);
        }
        appends
    })
}

fn batch(rows: &Rows) -> RecordBatch {
    let text = |values: Vec<Option<String>>| Arc::new(StringArray::from(values)) as ArrayRef;
    let time = |values: Vec<i64>| Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC")) as ArrayRef;
    let amounts = rows.iter().map(|row| row.5.map(|quarters| f64::from(quarters) / 4.0));
    RecordBatch::try_from_iter_with_nullable([
        ("order_id", text(rows.iter().map(|row| Some(format!("o{}", row.0))).collect()), true),
        ("customer_id", text(rows.iter().map(|row| row.1.map(|c| format!("c{c}"))).collect()), true),
        ("event_time", time(rows.iter().map(|row| row.3 * DAY).collect()), true),
        ("known_time", time(rows.iter().map(|row| row.3 * DAY + row.4).collect()), true),
        ("channel", text(rows.iter().map(|row| row.2.map(|c| format!("ch{c}"))).collect()), true),
        ("amount", Arc::new(Float64Array::from_iter(amounts)) as ArrayRef, true),
    ])
    .unwrap()
}

/// The engine as it comes, over all rows at once.
fn oracle(appends: &[Rows]) -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(1);
    config.options_mut().execution.time_zone = Some("UTC".into());
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    let context = SessionContext::new_with_config(config);
    let batches: Vec<_> = appends.iter().map(batch).collect();
    let orders = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
    let catalog = context.catalog("datafusion").unwrap();
    catalog.register_schema("core", Arc::new(MemorySchemaProvider::new())).unwrap();
    context.register_table("core.orders", Arc::new(orders)).unwrap();
    context
}

/// A table that is not ours, in place of the name `foreign`.
const FOREIGN: &str =
    "(SELECT * FROM (VALUES ('c0', 1), ('c0', 2), ('c3', 3), ('c7', 4), ('nobody', 5), (NULL, 6)) AS f (id, v)) AS";

/// Cut-offs, in place of the name `spine`: several of a customer, the same one twice, none, nobody's, and one of someone
/// who never buys.
const SPINE: &str = "(SELECT * FROM (VALUES ('c0', TIMESTAMP '1970-01-03', 1), ('c0', TIMESTAMP '1970-01-09', 2),
    ('c0', TIMESTAMP '1970-01-09', 2), ('c0', TIMESTAMP '1971-01-01', 3), ('c0', NULL, 4), ('c1', TIMESTAMP '1970-01-11', 5),
    ('c2', TIMESTAMP '1970-01-06', 6), ('c2', TIMESTAMP '1970-01-11', 7), ('c5', TIMESTAMP '1970-01-01', 8),
    ('nobody', TIMESTAMP '1970-01-11', 9), (NULL, TIMESTAMP '1970-01-11', 10)) AS v (customer_id, as_of, tag)) AS s";

fn with_foreign(query: &str) -> String {
    query
        .replace("spine s", SPINE)
        .replace("foreign f", &format!("{FOREIGN} f"))
        .replace("FROM foreign", &format!("FROM {FOREIGN} f"))
}

/// Rows in an order of their own, and times without their zone: literals have none in the other engine.
fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.iter_mut().flatten().for_each(|cell| *cell = cell.trim_end_matches('Z').to_owned());
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_that_of_the_engine_as_it_comes(appends in appends()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let shop = Shop::new(&[]).await;
            for (number, rows) in appends.iter().enumerate() {
                let source = format!("append {number}");
                shop.warehouse.append(vec![("core.orders", vec![batch(rows)])], &source, &source).await.unwrap();
            }
            let oracle = oracle(&appends);
            for threads in [1, 2, BUCKETS as usize, 2 * BUCKETS as usize] {
                let options = SessionOptions { threads: Some(threads), ..SessionOptions::default() };
                let session = shop.warehouse.session(options).await.unwrap();
                for query in QUERIES {
                    let query = with_foreign(query);
                    let expected = oracle.sql(&query).await.unwrap().collect().await.unwrap();
                    let expected = sorted(texts(&expected));
                    assert_eq!(sorted(rows_of(&session, &query).await), expected, "{threads} threads: {query}");
                }
            }
        });
    }
}

/// The plan that a query really runs, on more threads than this machine may have.
async fn plan(shop: &Shop, query: &str) -> String {
    let session =
        shop.warehouse.session(SessionOptions { threads: Some(4), ..SessionOptions::default() }).await.unwrap();
    let rows = rows_of(&session, &format!("EXPLAIN {query}")).await;
    rows.into_iter().find(|row| row[0] == "physical_plan").unwrap().remove(1)
}

#[tokio::test]
async fn texts_that_are_only_told_apart_stay_in_their_dictionaries() {
    let shop = Shop::new(&[]).await;
    let rows = vec![(1, Some(1), Some(1), 1, 0, Some(1)), (2, Some(2), None, 2, 0, None)];
    shop.warehouse.append(vec![("core.orders", vec![batch(&rows)])], "one", "one").await.unwrap();
    let counts = "SELECT customer_id, count(DISTINCT channel), count(DISTINCT order_id) FROM core.orders";
    let read = [
        (format!("{counts} GROUP BY customer_id"), ", dictionaries of customer_id, channel"),
        (format!("{counts} WHERE amount > 1 GROUP BY customer_id"), ", dictionaries of customer_id, channel"),
        (
            format!("{counts} WHERE customer_id IS NOT NULL GROUP BY customer_id"),
            ", dictionaries of customer_id, channel",
        ),
        (format!("{counts} WHERE channel <> 'web' GROUP BY customer_id"), ", dictionaries of customer_id"),
        (
            "SELECT customer_id, min(channel) FROM core.orders GROUP BY customer_id".to_owned(),
            ", dictionaries of customer_id",
        ),
    ];
    for (query, dictionaries) in &read {
        let plan = plan(&shop, query).await;
        assert!(plan.lines().any(|line| line.ends_with(dictionaries)), "{query}: {plan}");
    }
    let at_cut_offs = "SELECT s.customer_id, s.as_of, count(o.order_id), min(o.channel)
        FROM (SELECT DISTINCT customer_id, event_time AS as_of FROM core.orders) AS s
        LEFT JOIN core.orders AS o ON o.customer_id = s.customer_id AND o.event_time < s.as_of
        GROUP BY s.customer_id, s.as_of";
    let totals = plan(&shop, at_cut_offs).await;
    let is_totals = |line: &&str| line.contains("PointInTimeTotalsExec");
    assert!(totals.lines().find(is_totals).unwrap().ends_with(", dictionaries of customer_id"), "{totals}");
    // Files that are merged give texts.
    shop.warehouse.append(vec![("core.orders", vec![batch(&rows)])], "two", "two").await.unwrap();
    assert!(!plan(&shop, &read[0].0).await.contains("dictionaries"));
}

#[tokio::test]
async fn a_column_that_every_row_has_is_not_read_to_be_counted() {
    let shop = Shop::new(&[]).await;
    let queries = [
        "SELECT customer_id, count(order_id) AS n FROM core.orders GROUP BY customer_id",
        "SELECT s.customer_id, s.as_of, count(o.id) AS n
            FROM (SELECT DISTINCT customer_id, event_time AS as_of FROM core.orders) AS s
            LEFT JOIN (SELECT *, order_id AS id FROM core.orders WHERE amount > 0) AS o
            ON o.customer_id = s.customer_id AND o.event_time < s.as_of GROUP BY s.customer_id, s.as_of",
    ];
    let reads_ids = |plan: &str| plan.lines().any(|line| line.contains("projection=[") && line.contains("order_id"));
    let rows = vec![(1, Some(1), Some(1), 1, 0, Some(1)), (2, Some(1), None, 2, 0, None)];
    shop.warehouse.append(vec![("core.orders", vec![batch(&rows)])], "one", "one").await.unwrap();
    for (query, counts) in queries.iter().zip([vec!["2"], vec!["0", "1"]]) {
        let plan = plan(&shop, query).await;
        assert!(!reads_ids(&plan), "{query}: {plan}");
        assert_eq!(shop.rows(&format!("SELECT n FROM ({query}) ORDER BY n")).await.concat(), counts);
    }
    let mut columns = batch(&rows).columns().to_vec();
    columns[0] = new_null_array(&DataType::Utf8, rows.len());
    let without_ids = RecordBatch::try_new(batch(&rows).schema(), columns).unwrap();
    shop.warehouse.append(vec![("core.orders", vec![without_ids])], "two", "two").await.unwrap();
    for query in queries {
        let plan = plan(&shop, query).await;
        assert!(reads_ids(&plan), "{query}: {plan}");
    }
    assert_eq!(shop.rows(queries[0]).await, [["c1", "2"]]);
}

/// So many texts that a file has no dictionary of all of them, in more rows than are read at once.
#[tokio::test]
async fn texts_beyond_a_dictionary_are_told_apart_behind_a_filter() {
    const CUSTOMERS: i64 = 2_000;
    const ROWS_EACH: i64 = 30;
    let rows = 0..CUSTOMERS * ROWS_EACH;
    let texts = |of: fn(i64) -> String| Arc::new(StringArray::from_iter_values(rows.clone().map(of))) as ArrayRef;
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(rows.clone()).with_timezone("UTC"));
    let amounts = Float64Array::from_iter_values(rows.clone().map(|row| if row % 5 == 0 { 1.0 } else { -1.0 }));
    let orders = RecordBatch::try_from_iter_with_nullable([
        ("order_id", texts(|row| format!("o{row}")), true),
        ("customer_id", texts(|row| format!("c{}", row / ROWS_EACH)), true),
        ("event_time", Arc::clone(&times), true),
        ("known_time", times, true),
        // Two for each customer.
        ("channel", texts(|row| format!("{:0>1500}", row / (ROWS_EACH / 2))), true),
        ("amount", Arc::new(amounts), true),
    ]);
    let shop = Shop::new(&[]).await;
    shop.warehouse.append(vec![("core.orders", vec![orders.unwrap()])], "one", "one").await.unwrap();
    // One alone the engine counts by grouping twice.
    let counts = "count(DISTINCT channel) AS n, count(DISTINCT amount) AS m";
    let query = format!("SELECT customer_id, {counts} FROM core.orders WHERE amount > 0 GROUP BY customer_id");
    let plan = plan(&shop, &query).await;
    assert!(plan.contains(", dictionaries of customer_id, channel"), "{plan}");
    let found = shop.rows(&format!("SELECT count(*), min(n), max(n), max(m) FROM ({query})")).await;
    assert_eq!(found, [[CUSTOMERS.to_string(), "2".into(), "2".into(), "1".into()]]);
}

#[tokio::test]
async fn questions_within_customers_need_no_shuffle_and_no_sort() {
    let shop = Shop::new(&[]).await;
    let rows = vec![(1, Some(1), Some(1), 1, 0, Some(1)), (2, Some(2), None, 2, 0, None)];
    for source in ["one", "two"] {
        shop.warehouse.append(vec![("core.orders", vec![batch(&rows)])], source, source).await.unwrap();
    }
    let queries = [
        ("SELECT customer_id, count(*), stddev(amount) FROM core.orders GROUP BY customer_id", "SortedGroupsExec"),
        (
            "SELECT customer_id, count(DISTINCT channel), count(DISTINCT amount) FROM core.orders GROUP BY customer_id",
            "SortedGroupsExec",
        ),
        ("SELECT lag(event_time) OVER (PARTITION BY customer_id ORDER BY event_time) FROM core.orders", "LagExec"),
        ("SELECT row_number() OVER (PARTITION BY customer_id ORDER BY event_time) FROM core.orders", "LagExec"),
        ("SELECT order_id, max(amount) OVER (PARTITION BY customer_id) FROM core.orders", "WholePartitionsExec"),
        (
            "SELECT count(*) FROM core.orders a JOIN core.orders b USING (customer_id) GROUP BY customer_id",
            "MergeJoinExec",
        ),
        (
            "SELECT s.customer_id, s.as_of, count(o.order_id), sum(o.amount)
                FROM (SELECT DISTINCT customer_id, event_time AS as_of FROM core.orders) s
                LEFT JOIN core.orders o ON o.customer_id = s.customer_id AND o.event_time < s.as_of
                GROUP BY s.customer_id, s.as_of",
            "PointInTimeTotalsExec",
        ),
    ];
    for (query, operator) in queries {
        let plan = plan(&shop, query).await;
        assert!(plan.contains("BucketsExec") && plan.contains(operator), "{query}: {plan}");
        assert!(!plan.contains("RepartitionExec") && !plan.contains("SortExec"), "{query}: {plan}");
    }
}

#[tokio::test]
async fn every_feature_view_runs_bucket_by_bucket() {
    let shop = Shop::new(&[]).await;
    let rows = "SELECT 'c1' AS customer_id, TIMESTAMP '2026-01-01' AS event_time, TIMESTAMP '2026-01-01' AS known_time";
    let rows = shop.session().await.sql(rows).await.unwrap().collect().await.unwrap();
    for table in ["customers", "orders", "order_lines", "events", "touches", "consents", "redemptions", "moves"] {
        let table = format!("core.{table}");
        shop.warehouse.append(vec![(table.as_str(), rows.clone())], &table, &table).await.unwrap();
    }
    let views = shop.session().await.names();
    let views: Vec<&String> = views.iter().filter(|name| name.starts_with("features.")).collect();
    assert!(views.len() > 10, "{views:?}");
    for view in views {
        let plan = plan(&shop, &format!("SELECT * FROM {view}")).await;
        let whole = plan.lines().map(str::trim).find(|line| !line.starts_with("CooperativeExec")).unwrap_or_default();
        assert!(whole.starts_with("BucketsExec"), "{view}: {plan}");
        assert!(!plan.contains("WindowAggExec") || view.ends_with(".rhythm"), "{view}: {plan}");
    }
    for family in ["recency", "value", "trend", "tenure", "returns", "discounts", "engagement"] {
        let plan = plan(&shop, &format!("SELECT * FROM features.{family}")).await;
        assert!(plan.contains("PointInTimeTotalsExec") && !plan.contains(" SortExec"), "{family}: {plan}");
    }
}
