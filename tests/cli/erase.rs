//! Forgetting a customer: asked for, shown, done, and gone.

use crate::cli::shop::{self, W};
use crate::support::Folder;
use std::path::Path;

/// No file below a folder holds a text.
pub fn assert_nowhere(folder: &Path, word: &str) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => assert_nowhere(&path, word),
            false => {
                let bytes = std::fs::read(&path).expect("readable");
                let is_there = bytes.windows(word.len()).any(|window| window == word.as_bytes());
                assert!(!is_there, "{} holds {word}", path.display());
            }
        }
    }
}

fn rows(folder: &Folder, customer: &str) -> Vec<String> {
    let tables = [
        "core.orders",
        "core.order_lines",
        "core.customers",
        "core.events",
        "core.touches",
        "core.consents",
        "core.assignments",
    ];
    let count = |table: &str| folder.sql(W, &format!("SELECT count(*) FROM {table} WHERE customer_id = '{customer}'"));
    tables.into_iter().flat_map(count).collect()
}

fn is_gone(folder: &Folder, customer: &str) -> bool {
    rows(folder, customer).iter().all(|count| count == "0")
}

#[test]
fn a_customer_of_a_shop_is_forgotten() {
    let folder = shop::built();
    folder.ok(&["publish", "published", "--warehouse", W]);
    let picked = "SELECT customer_id, email FROM core.customers WHERE email IS NOT NULL \
                  AND customer_id IN (SELECT customer_id FROM core.order_lines) ORDER BY customer_id LIMIT 2";
    let picked = folder.sql(W, picked);
    let [gone, stays] = picked.as_slice() else { panic!("{picked:?}") };
    let (gone, email) = gone.split_once(',').expect("two columns");
    let (stays, _) = stays.split_once(',').expect("two columns");
    let erase: &[&str] = &["erase", "--customer", gone, "--published", "published", "--warehouse", W];
    let before = rows(&folder, stays);

    let refused = folder.fails(erase);
    assert!(refused.contains("--dry-run") && refused.contains("--yes"), "{refused}");
    let dry = folder.ok(&[erase, &["--dry-run"]].concat());
    assert!(dry.contains("raw.shop_order_lines") && dry.contains("nothing was changed"), "{dry}");
    assert!(!is_gone(&folder, gone));

    let report = folder.ok(&[erase, &["--yes", "--format", "json"]].concat());
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let receipt = report["receipt_id"].as_str().expect("a receipt");
    assert!(is_gone(&folder, gone));
    assert_eq!(rows(&folder, stays), before);
    for place in [W, "published"] {
        assert_nowhere(&folder.path(place), email);
    }
    let kept =
        folder.sql(W, &format!("SELECT DISTINCT kind FROM audit.erasures WHERE receipt_id = '{receipt}' ORDER BY 1"));
    assert_eq!(kept, ["published", "table"]);
    folder.ok(&["doctor", "--published", "published", "--warehouse", W]);
    // The warehouse goes on, and what was loaded is not loaded again.
    folder.ok(&["load", "raw.shop_customers", "shop/customers.csv", "--history", "--warehouse", W]);
    folder.ok(&["build", "--warehouse", W]);
    assert!(is_gone(&folder, gone));

    // An older snapshot does not bring them back, nor does it take back the receipt.
    folder.ok(&["restore", "9", "--warehouse", W]);
    folder.ok(&["build", "--warehouse", W]);
    assert!(is_gone(&folder, gone));
    assert_eq!(rows(&folder, stays), before);
    let receipts = folder.sql(W, "SELECT DISTINCT receipt_id FROM audit.erasures");
    assert_eq!(receipts, [receipt]);
    for place in [W, "published"] {
        assert_nowhere(&folder.path(place), email);
    }
}
