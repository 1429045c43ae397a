use std::collections::BTreeMap;
use std::slice;

use super::{Shop, TINY_ORDERS, assert_says};
use crate::{LoadOptions, SetAside};

#[tokio::test]
async fn raw_rows_become_core_rows_once() {
    let shop = Shop::tiny().await;
    let file = shop.write("orders.csv", TINY_ORDERS);
    shop.load("raw.tiny_orders", &[file]).await.unwrap();
    let report = shop.warehouse.build().await.unwrap();
    let built: Vec<_> = report.built.iter().map(|b| (b.source.as_str(), b.table.as_str(), b.rows)).collect();
    assert_eq!(built, [("tiny", "core.orders", 3), ("tiny", "quality.set_aside", 1)]);
    let no_customer =
        SetAside { source: "tiny".into(), core_table: "orders".into(), reason: "no customer".into(), rows: 1 };
    assert_eq!(report.set_aside, [no_customer]);
    assert!(
        report
            .skipped
            .iter()
            .any(|s| s.path == "staging/cdnow/orders.sql" && s.reason.contains("raw.cdnow_transactions"))
    );
    let rows = shop
        .rows(
            "SELECT order_id, customer_id, amount, channel, known_time = event_time FROM core.orders ORDER BY order_id",
        )
        .await;
    assert_eq!(rows[0], ["o1", "a", "10.0", "", "true"]);

    let again = shop.warehouse.build().await.unwrap();
    assert!(again.built.is_empty());
    assert_eq!((again.snapshot.id, shop.count("core.orders").await), (report.snapshot.id, 3));
}

#[tokio::test]
async fn a_raw_table_that_nothing_reads_is_named() {
    let shop = Shop::tiny().await;
    let file = shop.write("orders.csv", TINY_ORDERS);
    shop.load("raw.tiny_orders", slice::from_ref(&file)).await.unwrap();
    shop.load("raw.till_orders", &[file]).await.unwrap();
    assert_eq!(shop.warehouse.build().await.unwrap().unread, ["raw.till_orders"]);
}

#[tokio::test]
async fn late_rows_are_added_and_keep_when_they_were_known() {
    let shop = Shop::tiny().await;
    let first = shop.write("orders.csv", TINY_ORDERS);
    shop.load("raw.tiny_orders", &[first]).await.unwrap();
    shop.warehouse.build().await.unwrap();
    // Happened on the 2nd, came on the 20th.
    let late = shop.write("late.csv", "order_id,customer,at,status,amount\no9,a,2026-01-02T10:00:00,completed,7\n");
    let options = LoadOptions { loaded_at: Some("2026-01-20T00:00:00Z".parse().unwrap()), ..LoadOptions::default() };
    shop.warehouse.load("raw.tiny_orders", &[late], &options, &|_| {}).await.unwrap();
    let report = shop.warehouse.build().await.unwrap();
    assert_eq!(
        report.built.iter().map(|b| (b.table.as_str(), b.rows)).collect::<Vec<_>>(),
        [("core.orders", 1), ("quality.set_aside", 0)]
    );
    let rows = shop.rows("SELECT event_time, known_time FROM core.orders WHERE order_id = 'o9'").await;
    assert_eq!(rows, [["2026-01-02T10:00:00Z", "2026-01-20T00:00:00Z"]]);
}

#[tokio::test]
async fn of_two_versions_in_one_load_the_one_in_the_later_file_counts() {
    let shop = Shop::tiny().await;
    let day = |status: &str| format!("order_id,customer,at,status,amount\no1,a,2026-01-02T10:00:00,{status},7\n");
    let files = [shop.write("day1.csv", &day("completed")), shop.write("day2.csv", &day("cancelled"))];
    shop.warehouse.load("raw.tiny_orders", &files, &LoadOptions::default(), &|_| {}).await.unwrap();
    shop.warehouse.build().await.unwrap();
    let rows = shop.rows("SELECT status FROM core.order_versions WHERE superseded_at IS NULL").await;
    assert_eq!(rows, [["cancelled"]]);
}

#[tokio::test]
async fn a_build_killed_between_tables_goes_on_without_duplicates() {
    let shop = Shop::tiny().await;
    let file = shop.write("orders.csv", TINY_ORDERS);
    shop.load("raw.tiny_orders", &[file]).await.unwrap();
    let built = shop.warehouse.build().await.unwrap();
    // As if killed before the snapshot: core.orders is committed, quality.set_aside is not even there.
    std::fs::remove_file(shop.path(&format!("shop/_snapshots/{:020}.json", built.snapshot.id))).unwrap();
    std::fs::remove_dir_all(shop.path("shop/quality")).unwrap();
    assert_eq!(shop.count("core.orders").await, 0);
    let report = shop.warehouse.build().await.unwrap();
    assert_eq!(report.built.iter().map(|b| b.table.as_str()).collect::<Vec<_>>(), ["quality.set_aside"]);
    assert_eq!((shop.count("core.orders").await, shop.count("quality.set_aside").await), (3, 1));
}

#[tokio::test]
async fn only_new_files_of_the_driver_count_and_others_are_read_whole() {
    let staging =
        "-- Orders with amounts.\n-- driver: raw.tiny_heads\nSELECT h.id AS order_id, h.customer AS customer_id,
        h.at AS event_time, h.at AS known_time, l.amount FROM raw.tiny_heads h JOIN raw.tiny_lines l ON l.id = h.id";
    let shop = Shop::new(&[("staging/tiny/orders.sql", staging)]).await;
    let lines = shop.write("lines.csv", "id,amount\n1,10\n2,20\n");
    let heads = shop.write("heads.csv", "id,customer,at\n1,17850.0,2026-01-01\n");
    shop.load("raw.tiny_lines", &[lines]).await.unwrap();
    let report = shop.warehouse.build().await.unwrap();
    assert!(report.built.is_empty() && report.skipped.iter().any(|s| s.reason == "raw.tiny_heads is not loaded"));
    shop.load("raw.tiny_heads", &[heads]).await.unwrap();
    shop.warehouse.build().await.unwrap();
    let more = shop.write("more.csv", "id,customer,at\n2,17850,2026-01-02\n");
    shop.load("raw.tiny_heads", &[more]).await.unwrap();
    let report = shop.warehouse.build().await.unwrap();
    assert_eq!(report.built[0].raw, BTreeMap::from([("raw.tiny_heads".into(), 1), ("raw.tiny_lines".into(), 0)]));
    let rows = shop.rows("SELECT order_id, customer_id, amount FROM core.orders ORDER BY order_id").await;
    assert_eq!(rows, [["1", "17850", "10.0"], ["2", "17850", "20.0"]]);
}

#[tokio::test]
async fn staging_mistakes_name_file_column_and_what_there_is() {
    let clocks = "at AS event_time, at AS known_time";
    let cases: [(&str, &[&str]); 8] = [
        (
            &format!("SELECT id AS order_id, {clocks}, id AS nonsense FROM raw.tiny_x"),
            &["nonsense", "core.orders", "order_id"],
        ),
        (
            &format!("SELECT id AS order_id, {clocks}, euros AS amount FROM raw.tiny_x"),
            &["euros", "there are id, at, amount"],
        ),
        ("SELECT id AS order_id, at AS event_time FROM raw.tiny_x", &["no column known_time"]),
        (
            &format!("SELECT id AS order_id, {clocks}, note AS amount FROM raw.tiny_x"),
            &["\"amount\"", "\"hello\"", "DOUBLE"],
        ),
        (
            &format!("SELECT id AS order_id, {clocks}, 1.0 / (amount - 1.0) AS amount FROM raw.tiny_x"),
            &["\"amount\"", "\"inf\" is not a number between -1e100 and 1e100"],
        ),
        (
            "SELECT id AS order_id, nullif(at, at) AS event_time, at AS known_time FROM raw.tiny_x",
            &["2 rows", "event_time"],
        ),
        (
            "SELECT id AS order_id, at + INTERVAL '900 years' AS event_time, at AS known_time FROM raw.tiny_x WHERE id = 2",
            &["1 rows lie in the future, with event_time up to 2926-01-02 00:00:00", "set_aside.sql"],
        ),
        (&format!("SELECT id AS order_id, {clocks} FROM raw.tiny_x JOIN raw.tiny_y USING (id)"), &["-- driver: raw."]),
    ];
    for (sql, parts) in cases {
        let shop = Shop::new(&[("staging/tiny/orders.sql", sql)]).await;
        let file = shop.write("x.csv", "id,at,amount,note\n1,2026-01-01,1,hello\n2,2026-01-02,2,\n");
        shop.load("raw.tiny_x", slice::from_ref(&file)).await.unwrap();
        let before = shop.warehouse.store().snapshot().await.unwrap();
        let result = shop.warehouse.build().await;
        assert_says(result, &[&["sql/staging/tiny/orders.sql"], parts].concat());
        assert_eq!(shop.warehouse.store().snapshot().await.unwrap(), before);
    }
}
