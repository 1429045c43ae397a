use tempfile::TempDir;

use super::{Shop, TINY, assert_says, rows_of, write_sql};
use crate::{CheckOptions, CheckReport, CheckResult, Result, SessionOptions, Severity};

/// Rows small enough to see which ones break a rule.
const THINGS: &str = "SELECT * FROM (VALUES
    ('a', 10.0, 1, 'new',  'a@shop.example', TIMESTAMP '2026-01-01 10:00:00', 'c1'),
    ('b', 11.0, 1, 'new',  'b@shop.example', TIMESTAMP '2026-01-02 10:00:00', 'c1'),
    ('c', 12.0, 2, 'used', 'b@shop.example', TIMESTAMP '2026-01-03 10:00:00', 'c2'),
    ('d', 13.0, 2, 'lost', 'no address',     TIMESTAMP '2026-01-04 10:00:00', NULL),
    ('e', 99.0, 3, NULL,   ' ',              NULL,                            'c9'),
    ('f', NULL, 3, 'used', NULL,             NULL,                            'c9')
    ) AS v (id, amount, size, status, email, at, customer_id)";

const OTHERS: &str = "SELECT * FROM (VALUES
    ('c1', 'a', 10.0), ('c2', 'b', 5.0), ('c2', 'b', 6.005), (NULL, 'c', 12.02), ('c3', 'd', 13.0)
    ) AS v (customer_id, thing, amount)";

/// A view with these checks in its header.
fn things(checks: &[&str]) -> String {
    let checks: Vec<String> = checks.iter().map(|check| format!("-- check: {check}\n")).collect();
    format!("-- Things.\n-- grain: id\n{}{THINGS}", checks.concat())
}

async fn shop(checks: &[&str]) -> Shop {
    let (things, others) = (things(checks), format!("-- Others.\n{OTHERS}"));
    Shop::new(&[("insights/things.sql", &things), ("insights/others.sql", &others)]).await
}

async fn check(shop: &Shop, tables: &[&str]) -> Result<CheckReport> {
    let tables = tables.iter().map(|table| table.to_string()).collect();
    shop.warehouse.check(&CheckOptions { tables, ..CheckOptions::default() }, &|_| {}).await
}

/// The only result of a check of things.
async fn one(rule: &str) -> (CheckResult, Vec<String>) {
    let shop = shop(&[rule]).await;
    let report = check(&shop, &["insights.things"]).await.unwrap();
    let keys = shop.rows("SELECT key_values FROM quality.failures ORDER BY key_values").await;
    assert_eq!(report.results.len(), 1);
    (report.results[0].clone(), keys.into_iter().map(|row| row[0].clone()).collect())
}

#[tokio::test]
async fn every_kind_finds_the_rows_that_break_it() {
    let cases: &[(&str, &[&str])] = &[
        ("amount < 13", &["d", "e"]),
        ("holds(amount < 13)", &["d", "e"]),
        ("amount < 13 where size < 3", &["d"]),
        ("size = 1 or amount >= 12", &[]),
        ("not_null(amount)", &["f"]),
        ("not_null(amount, at)", &["e", "f"]),
        ("missing(email)", &["e", "f"]),
        ("missing(at)", &["e", "f"]),
        ("accepted(status, new, used)", &["d"]),
        ("accepted(status, 'new', 'used', 'lost')", &[]),
        ("accepted(size, 1, 2)", &["e", "f"]),
        ("range(amount, 11, 13)", &["a", "e"]),
        ("range(at, '2026-01-02', '2026-01-03 10:00:00')", &["a", "d"]),
        ("range(amount, size, 50)", &["e"]),
        ("matches(email, '^[^@ ]+@[^@ ]+$')", &["d", "e"]),
        ("matches(email, '(shop|, )') where size < 3", &["d"]),
        ("unique(id)", &[]),
        ("unique(email)", &["b", "c"]),
        ("unique(size, status)", &["a", "b"]),
        ("references(customer_id, insights.others.customer_id)", &["e", "f"]),
        ("sum_equals(amount, insights.others.amount by id = thing, 0.01)", &["c", "e"]),
        ("sum_equals(amount, insights.others.amount by id = thing, 0.001) where id < 'd'", &["b", "c"]),
        // Quartiles 11 and 13, so fences at 8 and 16.
        ("outliers(amount, iqr 1.5)", &["e"]),
        // Median 12, MAD 1: 99 lies 58.7 deviations away, 10 and 14 would lie 1.35.
        ("outliers(amount)", &["e"]),
        ("outliers(amount, mad 1.3)", &["a", "e"]),
        ("outliers(amount, mad 60)", &[]),
    ];
    for (rule, expected) in cases {
        let (result, keys) = one(rule).await;
        assert_eq!(keys, *expected, "{rule}");
        assert_eq!((result.passed, result.rows_failed), (expected.is_empty(), Some(expected.len() as u64)), "{rule}");
    }
}

/// scipy: median_abs_deviation is 0 for these, the mean distance .5.
#[tokio::test]
async fn where_most_values_are_equal_the_mean_distance_is_the_measure() {
    let things = "-- Things.\n-- grain: id\n-- check: outliers(x)\n-- check: outliers(y)\n\
        SELECT id, CASE WHEN id < 9 THEN 5 WHEN id = 9 THEN 6 ELSE 9 END AS x, 5.0 AS y FROM \
        (SELECT unnest(range(1, 11)) AS id)";
    let shop = Shop::new(&[("insights/things.sql", things)]).await;
    let report = check(&shop, &["insights.things"]).await.unwrap();
    assert_eq!(report.results[0].note.as_deref(), Some("outside of 2.8067 to 7.1933"));
    assert_eq!(report.results.iter().map(|r| r.rows_failed).collect::<Vec<_>>(), [Some(1), Some(0)]);
    assert_eq!(report.results[0].first_failures[0].key, "10");
}

#[tokio::test]
async fn some_rows_may_fail_and_are_counted_all_the_same() {
    let (result, keys) = one("missing(email) at most 34 %").await;
    assert!(result.passed && keys.is_empty(), "{result:?}");
    assert_eq!((result.rows_checked, result.rows_failed, result.threshold), (Some(6), Some(2), 0.34));
    let (result, keys) = one("missing(email) at most 33 % severity warn").await;
    assert_eq!((result.passed, keys.len(), result.severity), (false, 2, Severity::Warn));
}

#[tokio::test]
async fn numbers_of_the_table_are_compared() {
    let cases: &[(&str, Option<f64>, bool)] = &[
        ("row_count(6)", Some(6.0), true),
        ("row_count(7)", Some(6.0), false),
        ("row_count(1, 5)", Some(6.0), false),
        ("row_count(1) where size = 1", Some(2.0), true),
        ("sum_equals(amount, insights.others.amount, 99)", Some(145.0 - 46.025), true),
        ("sum_equals(amount, insights.others.amount, 1) where amount < 50", Some(46.025 - 46.0), true),
        ("sum_equals(amount, insights.others.amount, 0.001) where amount < 50", Some(46.025 - 46.0), false),
        ("row_count_change(1 %)", None, true),
        ("drift(amount, ks < 0.1)", None, true),
        ("fresh(at, 1 hour) where size = 3", None, false),
    ];
    for (rule, value, passed) in cases {
        let (result, keys) = one(rule).await;
        let is_value = match (result.value, value) {
            (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
            (found, expected) => found == *expected,
        };
        assert!(is_value && result.passed == *passed && keys.is_empty(), "{rule}: {result:?}");
    }
    let (result, _) = one("drift(amount, ks < 0.1)").await;
    assert_eq!(result.note.as_deref(), Some("no snapshot was accepted yet"));
}

#[tokio::test]
async fn data_are_fresh_up_to_their_age() {
    for (age, passed) in [("31 minutes", true), ("29 minutes", false), ("1 hour", true), ("0 days", false)] {
        let sql = format!(
            "-- Things.\n-- check: fresh(at, {age})\nSELECT now() - INTERVAL '30 minutes' AS at UNION ALL SELECT NULL"
        );
        let shop = Shop::new(&[("insights/things.sql", &sql)]).await;
        let report = check(&shop, &["insights.things"]).await.unwrap();
        let result = &report.results[0];
        assert_eq!((result.passed, result.dimension.name()), (passed, "timeliness"), "{age}: {result:?}");
        assert!(result.value.is_some_and(|days| (days * 48.0 - 1.0).abs() < 0.2), "{result:?}");
    }
}

#[tokio::test]
async fn mistakes_in_checks_are_said_when_the_files_are_read() {
    let cases = [
        ("range(amount, 1)", "range(<column>, <lowest>, <highest>)"),
        ("accepted(status)", "values that it may have"),
        ("matches(email, x)", "in quotes"),
        ("references(customer_id, customers)", "<schema>.<table>.<column>"),
        ("drift(amount, psi > 1)", "drift(<column>, psi|ks < <threshold>)"),
        ("drift(amount, psi < 1) at most 1 %", "one number of the table"),
        ("fresh(at, soon)", "\"soon\""),
        ("row_count_change(many)", "\"many\""),
        ("amount > (1", "not closed"),
        ("amount > 1 severity loud", "warn or error"),
    ];
    for (check, part) in cases {
        let catalog = crate::Catalog::new([("insights/things.sql".to_string(), things(&[check]))].into());
        assert_says(catalog, &["sql/insights/things.sql", check, part]);
    }
    let without_grain = "-- Things.\n-- check: x > 1\nSELECT 1 AS x".to_string();
    let catalog = crate::Catalog::new([("insights/things.sql".to_string(), without_grain)].into());
    assert_says(catalog, &["sql/insights/things.sql", "grain"]);
}

#[tokio::test]
async fn mistakes_that_only_the_table_shows_name_file_and_check_and_record_nothing() {
    let cases: &[(&str, &[&str])] = &[
        ("amuont < 1", &["amuont", "amount"]),
        ("not_nul(amount)", &["not_nul", "not_null(<column>, …)"]),
        ("unique(idd)", &["idd", "id, amount"]),
        ("references(id, core.customer.customer_id)", &["core.customer", "core.customers"]),
        ("references(id, core.customers.id)", &["core.customers", "no column id"]),
        ("drift(status, ks < 1)", &["status", "VARCHAR"]),
        ("outliers(at)", &["at is a TIMESTAMP"]),
        ("matches(email, '(')", &["email"]),
        ("fresh(amount, 1 day)", &["amount is no time"]),
    ];
    for (rule, parts) in cases {
        let shop = shop(&["size > 0", rule]).await;
        let result = check(&shop, &["insights.things"]).await;
        assert_says(result, &[&["sql/insights/things.sql", *rule][..], parts].concat());
        assert_eq!(shop.warehouse.store().snapshot().await.unwrap().id, 0, "{rule}");
    }
    let shop = shop(&[]).await;
    assert_says(check(&shop, &["core.order"]).await, &["core.order", "core.orders"]);
    assert_says(check(&shop, &["insights.things"]).await, &["insights.things", "no checks"]);
}

#[tokio::test]
async fn a_query_of_failing_rows_is_a_check() {
    let late = "-- Things that are too large.\n-- grain: id, size\n-- check: insights.things severity warn dimension timeliness\n\
        SELECT id, size, customer_id, amount AS value FROM insights.things WHERE amount > 12";
    let things = things(&[]);
    let shop = Shop::new(&[("insights/things.sql", &things), ("checks/large.sql", late)]).await;
    let report = check(&shop, &["insights.things"]).await.unwrap();
    let result = &report.results[0];
    assert_eq!((result.rule.as_str(), result.rows_checked, result.rows_failed), ("checks.large", Some(6), Some(2)));
    assert_eq!((result.severity.name(), result.dimension.name()), ("warn", "timeliness"));
    let columns = "table_name, rule, key_columns, key_values, customer_id, value";
    let rows = shop.rows(&format!("SELECT {columns} FROM quality.failures ORDER BY key_values")).await;
    assert_eq!(rows[0], ["insights.things", "checks.large", "id, size", "d, 2", "", "13"]);
    assert_eq!(rows[1], ["insights.things", "checks.large", "id, size", "e, 3", "c9", "99"]);
    assert_says(check(&shop, &["checks.large"]).await, &["checks.large", "insights.things"]);
    for (sql, part) in [
        ("-- X.\n-- grain: id\nSELECT 1 AS id", "-- check: <table"),
        ("-- X.\n-- grain: id\n-- check: core.nothing\nSELECT 1 AS id", "core.nothing"),
        ("-- X.\n-- check: core.orders\nSELECT 1 AS id", "grain"),
        ("CREATE TABLE checks.x (id BIGINT)", "one SELECT"),
    ] {
        let project = TempDir::new().unwrap();
        write_sql(project.path(), &[("checks/x.sql", sql)]);
        assert_says(crate::Catalog::open(Some(project.path())), &["sql/checks/x.sql", part]);
    }
}

/// A shop whose orders carry these checks in the place of the shipped ones.
async fn orders_with(checks: &[&str]) -> Shop {
    let shipped = crate::Catalog::open(None).unwrap();
    let orders = &shipped.get("core.orders").unwrap().sql;
    let others = orders.lines().filter(|line| !line.starts_with("-- check:"));
    let checks = checks.iter().map(|check| format!("-- check: {check}"));
    let mut lines: Vec<String> = others.map(String::from).collect();
    lines.splice(1..1, checks);
    let staging = TINY[0].1.replace("status, amount", "status, channel, amount");
    Shop::new(&[("core/orders.sql", &lines.join("\n")), (TINY[0].0, &staging)]).await
}

async fn add_orders(shop: &Shop, file: &str, rows: impl Iterator<Item = String>) {
    let text: String = rows.map(|row| format!("{row}\n")).collect();
    let file = shop.write(file, &format!("order_id,customer,at,status,channel,amount\n{text}"));
    shop.load("raw.tiny_orders", &[file]).await.unwrap();
    shop.warehouse.build().await.unwrap();
}

/// 80 orders.
fn then() -> impl Iterator<Item = String> {
    (1..=80).map(|i: i32| {
        let (channel, amount) = (["web", "app", "store"][i as usize % 3], f64::from(i * i * 7 % 83) / 2.0);
        format!("t{i},c{i},2026-01-01T10:00:00,completed,{channel},{amount:.1}")
    })
}

/// 40 more, of another kind.
fn added() -> impl Iterator<Item = String> {
    (1..=40).map(|i: i32| {
        let (channel, amount) = (["app", "phone"][i as usize % 2], f64::from(20 + i * 13 % 47));
        format!("a{i},c{i},2026-01-02T10:00:00,completed,{channel},{amount:.1}")
    })
}

/// scipy.stats.ks_2samp and the definition of PSI over numpy.quantile's deciles, of the same 80 and 120 numbers.
#[tokio::test]
async fn drift_is_measured_against_the_last_accepted_snapshot() {
    let rules = [
        "drift(amount, ks < 0.3)",
        "drift(amount, psi < 0.2) severity warn",
        "drift(channel, psi < 9)",
        "row_count_change(60 %)",
    ];
    let shop = orders_with(&rules).await;
    add_orders(&shop, "then.csv", then()).await;
    let first = check(&shop, &["core.orders"]).await.unwrap();
    assert!(first.results.iter().all(|r| r.passed && r.value.is_none()), "{first:?}");
    let same = check(&shop, &["core.orders"]).await.unwrap();
    assert!(same.results.iter().all(|r| r.passed && r.value == Some(0.0)), "{same:?}");
    add_orders(&shop, "added.csv", added()).await;
    let drifted = check(&shop, &["core.orders"]).await.unwrap();
    let values: Vec<f64> = drifted.results.iter().map(|r| r.value.unwrap()).collect();
    for (value, expected) in values.iter().zip([0.2, 0.267761920150624, 1.3332909752365008, 0.5]) {
        assert!((value - expected).abs() < 1e-12, "{values:?}");
    }
    assert_eq!(drifted.results.iter().map(|r| r.passed).collect::<Vec<_>>(), [true, false, true, true]);
    assert_eq!(drifted.results[0].note, Some(format!("since snapshot {}", same.snapshot)));
    // Only a warning failed: this snapshot is the next one's measure.
    let again = check(&shop, &["core.orders"]).await.unwrap();
    assert_eq!(again.results[1].note, Some(format!("since snapshot {}", drifted.snapshot)));
}

#[tokio::test]
async fn what_failed_is_no_measure_of_what_comes() {
    let shop = orders_with(&["row_count_change(10 %)"]).await;
    add_orders(&shop, "then.csv", then()).await;
    let accepted = check(&shop, &["core.orders"]).await.unwrap().snapshot;
    add_orders(&shop, "added.csv", added()).await;
    for _ in 0..2 {
        let report = check(&shop, &["core.orders"]).await.unwrap();
        let result = &report.results[0];
        assert_eq!((result.passed, result.value), (false, Some(0.5)));
        assert_eq!(result.note, Some(format!("120 rows, 80 in snapshot {accepted}")));
    }
}

#[tokio::test]
async fn a_corrected_mistake_no_longer_fails() {
    let shop = orders_with(&["amount >= 0", "unique(order_id)"]).await;
    let order = |id: &str, amount: i32| format!("{id},c,2026-01-01T10:00:00,completed,web,{amount}");
    add_orders(&shop, "wrong.csv", [order("o1", -5), order("o2", -6), order("o2", -6)].into_iter()).await;
    let wrong = check(&shop, &["core.orders"]).await.unwrap();
    assert_eq!(wrong.results.iter().map(|r| r.rows_failed).collect::<Vec<_>>(), [Some(2), Some(0)]);
    assert_eq!(wrong.results[0].rows_checked, Some(2), "what was sent twice counts once");
    let options = crate::LoadOptions::default();
    let header = "order_id,customer,at,status,channel,amount";
    let file = shop.write("right.csv", &format!("{header}\n{}\n", order("o1", 5)));
    shop.warehouse.load("raw.tiny_orders", &[file], &options, &|_| {}).await.unwrap();
    shop.warehouse.build().await.unwrap();
    let right = check(&shop, &["core.orders"]).await.unwrap();
    assert_eq!(right.results[0].rows_failed, Some(1));
    assert_eq!(right.results[0].first_failures[0].key, "o2");
}

#[tokio::test]
async fn every_failing_row_is_written_and_scores_are_their_share() {
    let many = "-- Many.\n-- grain: id\n-- check: id % 2 = 0\n-- check: id >= 0 severity warn\n-- check: not_null(id)\n\
        SELECT unnest(range(0, 100000)) AS id";
    let shop = Shop::new(&[("insights/many.sql", many)]).await;
    let report = check(&shop, &["insights.many"]).await.unwrap();
    assert_eq!(shop.count("quality.failures").await, 50_000);
    let distinct = shop.rows("SELECT count(DISTINCT key_values) FROM quality.failures WHERE value = key_values").await;
    assert_eq!(distinct, [["50000"]]);
    assert_eq!(report.results[0].first_failures.len(), 5);
    // (2 · .5 + 1 · 1) / 3, and 1.
    let scores: Vec<_> = report.scores.iter().map(|s| (s.dimension.as_str(), s.score, s.rules, s.failed)).collect();
    assert_eq!(scores, [("accuracy", 2.0 / 3.0, 2, 1), ("completeness", 1.0, 1, 0)]);
    check(&shop, &["insights.many"]).await.unwrap();
    assert_eq!(shop.rows("SELECT count(*) FROM quality.scores").await, [["4"]]);
}

/// Killed after the failing rows were written: no reader sees them, and the next check has each of them once.
#[tokio::test]
async fn a_killed_check_goes_on() {
    let shop = shop(&["amount < 13"]).await;
    let report = check(&shop, &["insights.things"]).await.unwrap();
    // The snapshot that named the rows is lost, and so are the results; as if killed between the two.
    let root = shop.path("shop");
    std::fs::remove_file(root.join(format!("_snapshots/{:020}.json", 1))).unwrap();
    std::fs::remove_dir_all(root.join("quality/results")).unwrap();
    assert_eq!(shop.count("quality.failures").await, 0);
    let again = check(&shop, &["insights.things"]).await.unwrap();
    assert_eq!(again.checked_at, report.checked_at);
    let joined =
        "SELECT key_values FROM quality.failures NATURAL JOIN (SELECT checked_at, rule FROM quality.results) AS r
        ORDER BY key_values";
    assert_eq!(shop.rows(joined).await, [["d"], ["e"]]);
    let later = check(&shop, &["insights.things"]).await.unwrap();
    assert_ne!(later.checked_at, report.checked_at);
    assert_eq!(shop.count("quality.failures").await, 4);
}

#[tokio::test]
async fn the_shipped_checks_fit_their_tables() {
    let shop = Shop::new(&[]).await;
    let report = check(&shop, &[]).await.unwrap();
    let failed: Vec<_> = report.results.iter().filter(|result| !result.passed).collect();
    assert!(report.results.len() > 40 && failed.is_empty(), "{failed:?}");
    let session = shop.warehouse.session(SessionOptions::default()).await.unwrap();
    assert_eq!(rows_of(&session, "SELECT count(*) FROM quality.failures").await, [["0"]]);
}
