use super::{Shop, TINY_ORDERS, assert_says, rows_of};
use crate::{Every, FileFormat, SessionOptions, Spine, write_file};

async fn built() -> Shop {
    let shop = Shop::tiny().await;
    let file = shop.write("orders.csv", TINY_ORDERS);
    shop.load("raw.tiny_orders", &[file]).await.unwrap();
    shop.warehouse.build().await.unwrap();
    shop
}

fn at(text: &str) -> chrono::DateTime<chrono::Utc> {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_fresh_warehouse_has_all_tables_and_none_has_rows() {
    let shop = Shop::new(&[]).await;
    let session = shop.session().await;
    for definition in shop.warehouse.catalog().iter().filter(|d| d.kind != crate::Kind::Staging) {
        let rows = rows_of(&session, &format!("SELECT * FROM {}", definition.full_name())).await;
        // The rules are there before any customer is.
        let is_rules = definition.full_name() == "insights.action_rules";
        assert_eq!(rows.is_empty(), !is_rules, "{}", definition.full_name());
    }
    assert_eq!(rows_of(&session, "SELECT * FROM params").await, [["90", ""]]);
    assert_eq!(session.clock().await.unwrap(), None);
}

#[tokio::test]
async fn sql_only_reads() {
    let shop = built().await;
    let session = shop.session().await;
    let refused = [
        "INSERT INTO core.orders (order_id) VALUES ('x')",
        "DELETE FROM core.orders",
        "CREATE TABLE t (a BIGINT)",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE core.orders",
        "COPY core.orders TO 'x.csv'",
        "SET datafusion.execution.batch_size = 1",
        "EXPLAIN DELETE FROM core.orders",
        "SELECT * INTO t FROM core.orders",
        "WITH x AS (SELECT 1) INSERT INTO core.orders SELECT * FROM x",
    ];
    for sql in refused {
        assert_says(session.sql(sql).await.map(|_| ()), &["is refused", "only reads"]);
    }
    let sampled = "SELECT * FROM (SELECT * FROM core.orders TABLESAMPLE BERNOULLI (10))";
    assert_says(session.sql(sampled).await.map(|_| ()), &["TABLESAMPLE", "random()"]);
    let sampled = "EXPLAIN SELECT count(*) FROM core.orders TABLESAMPLE SYSTEM (10)";
    assert_says(session.sql(sampled).await.map(|_| ()), &["TABLESAMPLE"]);
    for sql in ["EXPLAIN SELECT * FROM spine", "SHOW TABLES", "DESCRIBE core.orders", "SELECT 1 UNION ALL VALUES (2);"]
    {
        assert!(!rows_of(&session, sql).await.is_empty(), "{sql}");
    }
}

#[tokio::test]
async fn a_wrong_name_brings_similar_ones() {
    let shop = built().await;
    let session = shop.session().await;
    assert_says(session.sql("SELECT * FROM core.ordres").await.map(|_| ()), &["core.ordres", "core.orders"]);
    assert_says(session.sql("SELECT * FROM orders").await.map(|_| ()), &["no table or view orders", "core.orders"]);
    assert_says(session.sql("SELECT amuont FROM core.orders").await.map(|_| ()), &["amuont", "amount"]);
}

#[tokio::test]
async fn an_older_snapshot_is_what_it_was() {
    let shop = built().await;
    let before = shop.warehouse.store().snapshot().await.unwrap().id;
    let more = shop.write("more.csv", "order_id,customer,at,status,amount\no5,c,2026-02-01T10:00:00,completed,5\n");
    shop.load("raw.tiny_orders", &[more]).await.unwrap();
    shop.warehouse.build().await.unwrap();
    let options = SessionOptions { snapshot: Some(before), ..SessionOptions::default() };
    let old = shop.warehouse.session(options).await.unwrap();
    assert_eq!(
        rows_of(&old, "SELECT count(*), max(as_of) FROM core.orders, (SELECT max(as_of) AS as_of FROM spine)").await,
        [["3", "2026-01-04T10:00:00.000001Z"]]
    );
    assert_eq!(shop.count("core.orders").await, 4);
    let options = SessionOptions { snapshot: Some(99), ..SessionOptions::default() };
    assert_says(shop.warehouse.session(options).await.map(|_| ()), &["99"]);
}

#[tokio::test]
async fn the_spine_is_what_was_asked_for() {
    let shop = built().await;
    let session = shop.session().await;
    let now = "2026-01-04T10:00:00.000001Z";
    assert_eq!(rows_of(&session, "SELECT * FROM spine ORDER BY customer_id").await, [["a", now], ["b", now]]);
    assert_eq!(rows_of(&session, "SELECT observed_until FROM params").await, [["2026-01-05T00:00:00Z"]]);

    let range =
        Spine::Range { from: at("2026-01-02T00:00:00Z"), to: at("2026-01-04T00:00:00Z"), every: Every::Days(1) };
    let session = shop.warehouse.session(SessionOptions { spine: range, ..SessionOptions::default() }).await.unwrap();
    let rows = rows_of(&session, "SELECT customer_id, as_of FROM spine ORDER BY as_of, customer_id").await;
    let wanted = [
        ["a", "2026-01-02T00:00:00Z"],
        ["a", "2026-01-03T00:00:00Z"],
        ["b", "2026-01-03T00:00:00Z"],
        ["a", "2026-01-04T00:00:00Z"],
        ["b", "2026-01-04T00:00:00Z"],
    ];
    assert_eq!(rows, wanted);

    let months =
        Spine::Range { from: at("2026-01-31T00:00:00Z"), to: at("2026-03-31T00:00:00Z"), every: Every::Months(1) };
    let session = shop.warehouse.session(SessionOptions { spine: months, ..SessionOptions::default() }).await.unwrap();
    let days = rows_of(&session, "SELECT DISTINCT cast(as_of AS DATE) AS day FROM spine ORDER BY day").await;
    assert_eq!(days, [["2026-01-31"], ["2026-02-28"], ["2026-03-31"]]);

    let file = shop.write("spine.csv", "as_of,customer_id,note\n2026-01-03,zz,x\n");
    let spine = Spine::File(file.into());
    let session = shop.warehouse.session(SessionOptions { spine, ..SessionOptions::default() }).await.unwrap();
    let rows =
        rows_of(&session, "SELECT s.*, count_orders FROM spine s JOIN features.frequency USING (customer_id)").await;
    assert_eq!(rows, [["zz", "2026-01-03T00:00:00Z", "0"]]);
}

#[tokio::test]
async fn an_impossible_spine_is_said_before_any_query() {
    let shop = built().await;
    let broken = [
        (
            Spine::AsOf(at("2025-01-01T00:00:00Z")),
            vec!["2025-01-01", "before all data", "2026-01-01T10:00:00Z", "2026-01-04T10:00:00Z"],
        ),
        (Spine::CutOffs(vec![]), vec!["no cut-off"]),
        (
            Spine::Range { from: at("2026-02-01T00:00:00Z"), to: at("2026-01-01T00:00:00Z"), every: Every::Days(1) },
            vec!["before the first"],
        ),
        (Spine::File(shop.write("a.csv", "customer\nx\n").into()), vec!["a.csv", "no column customer_id"]),
        (
            Spine::File(shop.write("b.csv", "customer_id,as_of\nx,someday\n").into()),
            vec!["b.csv, row 1", "\"someday\""],
        ),
        (
            Spine::File(shop.write("c.csv", "customer_id,as_of\nx,2026-01-03\nx,2026-01-03\n").into()),
            vec!["c.csv, row 2", "twice"],
        ),
        (Spine::File(shop.write("d.csv", "customer_id,as_of\nx,\n").into()), vec!["d.csv, row 1", "empty"]),
    ];
    for (spine, parts) in broken {
        let session = shop.warehouse.session(SessionOptions { spine, ..SessionOptions::default() }).await;
        assert_says(session.map(|_| ()), &parts);
    }
    let empty = Shop::new(&[]).await;
    let options = SessionOptions { spine: Spine::AsOf(at("2026-01-01T00:00:00Z")), ..SessionOptions::default() };
    assert_says(empty.warehouse.session(options).await.map(|_| ()), &["load some and build"]);
}

#[tokio::test]
async fn our_buckets_join_like_any_table() {
    let shop = Shop::new(&[]).await;
    let core = "SELECT 'o' || v AS order_id, 'c' || (v % 500) AS customer_id, TIMESTAMP '2026-01-01' AS event_time,
        TIMESTAMP '2026-01-01' AS known_time, 'completed' AS status FROM generate_series(1, 10000) AS t(v)";
    let rows = shop.session().await.sql(core).await.unwrap().collect().await.unwrap();
    shop.warehouse.append(vec![("core.orders", rows)], "test", "test").await.unwrap();
    let joins = [
        "SELECT count(*) FROM core.orders o JOIN (SELECT 'c' || v AS id FROM generate_series(0, 499) AS t(v)) f ON f.id = o.customer_id",
        "SELECT count(*) FROM core.orders a JOIN core.orders b ON a.customer_id = b.customer_id AND a.order_id = b.order_id",
        "SELECT sum(n) FROM (SELECT customer_id, count(*) AS n FROM core.orders GROUP BY customer_id)",
    ];
    for threads in [1, 2, super::BUCKETS as usize, 2 * super::BUCKETS as usize] {
        let options = SessionOptions { threads: Some(threads), ..SessionOptions::default() };
        let session = shop.warehouse.session(options).await.unwrap();
        for sql in joins {
            assert_eq!(rows_of(&session, sql).await, [["10000"]], "{threads} threads: {sql}");
        }
        for id in ["c0", "c1", "c17", "c499"] {
            let sql = format!("SELECT count(*) FROM core.orders WHERE customer_id = '{id}'");
            assert_eq!(rows_of(&session, &sql).await, [["20"]], "{sql}");
        }
        let two = "SELECT count(*) FROM core.orders WHERE customer_id IN ('c3', 'c4') AND event_time < TIMESTAMP '2026-01-02'";
        assert_eq!(rows_of(&session, two).await, [["40"]]);
        let none = "SELECT count(*) FROM core.orders WHERE event_time > TIMESTAMP '2026-01-01'";
        assert_eq!(rows_of(&session, none).await, [["0"]]);
    }
}

#[tokio::test]
async fn filters_leave_files_out_of_the_plan() {
    let shop = Shop::new(&[]).await;
    let core = "SELECT 'c' || v AS customer_id, 'o' || v AS order_id, TIMESTAMP '2026-01-01' AS event_time,
        TIMESTAMP '2026-01-01' AS known_time, cast(v AS DOUBLE) AS amount FROM generate_series(1, 100) AS t(v)";
    let rows = shop.session().await.sql(core).await.unwrap().collect().await.unwrap();
    shop.warehouse.append(vec![("core.orders", rows)], "test", "test").await.unwrap();
    let buckets = super::BUCKETS as usize;
    let filters = [
        ("amount > 0", buckets),
        ("customer_id = 'c1' AND amount > 0", 1),
        ("event_time < TIMESTAMP '2026-01-02'", buckets),
        ("known_time >= TIMESTAMP '2026-01-02'", 0),
        ("customer_id <> 'c1'", buckets),
        ("customer_id = 'c1' OR amount > 0", buckets),
    ];
    for (filter, files) in filters {
        let plan =
            shop.rows(&format!("EXPLAIN SELECT order_id FROM core.orders WHERE {filter}")).await.concat().join("\n");
        assert_eq!(plan.matches("bucket=").count(), files, "{filter}: {plan}");
    }
}

#[tokio::test]
async fn results_are_written_whole_in_three_forms() {
    let shop = built().await;
    let sql = "SELECT customer_id, to_timestamp_nanos(as_of) AS at FROM spine ORDER BY customer_id";
    for name in ["out.csv", "out.ndjson", "out.parquet"] {
        let path = shop.path(name);
        let query = shop.session().await.sql(sql).await.unwrap();
        assert_eq!(write_file(query, &path, FileFormat::of(&path).unwrap()).await.unwrap(), 2);
        shop.load("raw.tiny_out", &[path.to_string_lossy().into_owned()]).await.unwrap();
    }
    let rows = shop.rows("SELECT DISTINCT customer_id, at FROM raw.tiny_out ORDER BY customer_id").await;
    assert_eq!(rows, [["a", "2026-01-04T10:00:00.000001Z"], ["b", "2026-01-04T10:00:00.000001Z"]]);

    // The planner and the rows may differ about the type of a column of NULLs.
    let path = shop.path("union.parquet");
    let union = shop.session().await.sql("SELECT NULL AS n UNION ALL SELECT 1 UNION ALL SELECT 2.5").await.unwrap();
    assert_eq!(write_file(union, &path, FileFormat::Parquet).await.unwrap(), 3);

    let path = shop.path("broken.csv");
    let fails = shop.session().await.sql("SELECT cast(customer_id AS BIGINT) AS n FROM spine").await.unwrap();
    assert!(write_file(fails, &path, FileFormat::Csv).await.is_err());
    let left: Vec<_> = std::fs::read_dir(shop.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("broken")), "{left:?}");
    assert_says(FileFormat::of(&shop.path("x.xlsx")), &["x.xlsx", ".parquet"]);
}

#[tokio::test]
async fn describe_tells_columns_types_and_texts() {
    let described = built().await.warehouse.describe().await.unwrap();
    let orders = described.iter().find(|d| d.schema == "core" && d.name == "orders").unwrap();
    let amount = orders.columns.iter().find(|c| c.name == "amount").unwrap();
    assert_eq!(amount.data_type, "DOUBLE");
    assert!(amount.description.contains("net value"));
    assert!(described.iter().any(|d| d.schema == "raw" && d.name == "tiny_orders" && d.columns.len() == 9));
}

#[tokio::test]
async fn there_is_one_timestamp_type_and_one_text_type() {
    let session = Shop::new(&[]).await.session().await;
    let sql = "SELECT cast('2026-01-01' AS TIMESTAMP), TIMESTAMP '2026-01-01 10:00:00+01:00', cast(1 AS VARCHAR), 'x'";
    let schema = session.sql(sql).await.unwrap().schema();
    let types: Vec<String> = schema.fields().iter().map(|field| field.data_type().to_string()).collect();
    assert_eq!(types, ["Timestamp(µs, \"UTC\")", "Timestamp(µs, \"UTC\")", "Utf8", "Utf8"]);
    assert_eq!(rows_of(&session, sql).await[0][1], "2026-01-01T09:00:00Z");
}

#[tokio::test]
async fn a_query_keeps_to_its_memory_or_fails() {
    let shop = Shop::new(&[]).await;
    let sql =
        "SELECT count(*) FROM generate_series(1, 300000) AS a(x) JOIN generate_series(1, 300000) AS b(x) ON a.x = b.x";
    for (memory_limit, fits) in [(Some(1 << 20), false), (Some(1 << 28), true), (None, true)] {
        let warehouse = shop.warehouse.clone();
        let warehouse = match memory_limit {
            Some(bytes) => warehouse.with_memory_limit(bytes),
            None => warehouse,
        };
        let session = warehouse.session(SessionOptions::default()).await.unwrap();
        let result = session.sql(sql).await.unwrap().collect().await;
        match fits {
            true => assert_eq!(super::texts(&result.unwrap()), [["300000"]]),
            false => assert_says(result, &["not enough memory for HashJoinInput", "--memory-limit"]),
        }
    }
}
