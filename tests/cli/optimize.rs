//! Merging files: less to read, and nothing else changes.

use crate::cli::shop::{self, W};

#[test]
fn files_are_merged_and_answers_stay() {
    let folder = shop::simulated();
    folder.ok(&["init", W]);
    folder.ok(&["load", "raw.shop_order_lines", "shop/order_lines.parquet", "--history", "--warehouse", W]);
    for year in ["2023", "2024"] {
        folder.ok(&[
            "load",
            "raw.shop_orders",
            &format!("shop/orders/orders-{year}-*.csv"),
            "--history",
            "--warehouse",
            W,
        ]);
        folder.ok(&["build", "--warehouse", W]);
    }
    let answers = || {
        [
            "SELECT * FROM core.orders ORDER BY order_id, known_time, status, amount",
            "SELECT * FROM features.customer ORDER BY customer_id",
            "SELECT count(*) FROM core.orders, spine WHERE core.orders.customer_id = spine.customer_id",
        ]
        .map(|query| folder.sql(W, query))
    };
    let before = answers();
    let report = folder.ok(&["optimize", "core.orders", "--warehouse", W]);
    assert!(report.contains("core.orders") && report.contains("merged into"), "{report}");
    assert!(before == answers(), "an answer changed");
    let again = folder.ok(&["optimize", "--format", "json", "--warehouse", W]);
    let again: serde_json::Value = serde_json::from_str(&again).expect("JSON");
    let merged = |table: &str| {
        let tables = again.as_array().expect("tables").iter();
        tables.filter(|t| t["table"] == table).map(|t| t["merged"].as_u64()).collect::<Vec<_>>()
    };
    assert_eq!(merged("core.orders"), [Some(0)], "{again:#}");
    let unknown = folder.run(&["optimize", "core.order", "--warehouse", W]);
    let error = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(!unknown.status.success() && error.contains("core.orders"), "{error}");
}
