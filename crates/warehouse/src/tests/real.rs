//! The real data sets of `../shared/data`, against the numbers published with them.

#![allow(clippy::print_stderr)]

use std::path::PathBuf;

use super::Shop;

/// The folder, or `None` where it is not there and need not be.
fn shared() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    if folder.is_dir() {
        return Some(folder);
    }
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{} is missing", folder.display());
    eprintln!("skipped: {} is missing", folder.display());
    None
}

#[tokio::test]
async fn cdnow_has_its_published_totals() {
    let Some(shared) = shared() else { return };
    let shop = Shop::new(&[]).await;
    let file = shared.join("cdnow/CDNOW_master.txt").to_string_lossy().into_owned();
    assert_eq!(shop.load("raw.cdnow_transactions", &[file]).await.unwrap().rows, 69_659);
    shop.warehouse.build().await.unwrap();
    let totals =
        shop.rows("SELECT count(*), count(DISTINCT customer_id), round(sum(amount), 2) FROM core.orders").await;
    assert_eq!(totals, [["69659", "23570", "2500315.63"]]);
    assert_eq!(shop.count("spine").await, 23_570);
    assert_eq!(shop.count("features.customer").await, 23_570);
    assert_eq!(shop.rows("SELECT observed_until FROM params").await, [["1998-07-01T00:00:00Z"]]);
}

#[tokio::test]
async fn every_online_retail_line_is_built_or_set_aside_with_a_reason() {
    let Some(shared) = shared() else { return };
    let shop = Shop::new(&[]).await;
    let file = shared.join("online_retail/online_retail.parquet").to_string_lossy().into_owned();
    assert_eq!(shop.load("raw.online_retail_lines", &[file]).await.unwrap().rows, 541_909);
    let report = shop.warehouse.build().await.unwrap();
    let lines = report.built.iter().find(|built| built.table == "core.order_lines").unwrap().rows;
    let set_aside: i64 = report.set_aside.iter().map(|reason| reason.rows).sum();
    assert_eq!(lines as i64 + set_aside, 541_909);
    assert!(shop.rows("SELECT count(*) FROM core.order_lines WHERE customer_id LIKE '%.%'").await == [["0"]]);
}

#[tokio::test]
async fn complete_journey_is_built_whole() {
    let Some(shared) = shared() else { return };
    let shop = Shop::new(&[]).await;
    let files = [
        ("transactions", "transactions_sample"),
        ("campaigns", "campaigns"),
        ("campaign_descriptions", "campaign_descriptions"),
        ("coupons", "coupons"),
        ("coupon_redemptions", "coupon_redemptions"),
        ("demographics", "demographics"),
        ("products", "products"),
    ];
    for (table, name) in files {
        let file = shared.join(format!("complete_journey/{name}.parquet")).to_string_lossy().into_owned();
        shop.load(&format!("raw.journey_{table}"), &[file]).await.unwrap();
    }
    let report = shop.warehouse.build().await.unwrap();
    assert!(!report.skipped.iter().any(|skipped| skipped.path.starts_with("staging/journey/")), "{:?}", report.skipped);
    let totals = shop.rows("SELECT count(*), count(DISTINCT customer_id) FROM core.orders").await;
    assert_eq!(totals, [["47243", "2377"]]);
    assert_eq!(shop.count("core.order_lines").await, 75_000);
}
