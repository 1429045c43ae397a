//! Real exports through the shipped staging SQL, against published counts.

use crate::support::{Folder, shared_data, text};

fn one(folder: &Folder, query: &str) -> String {
    folder.sql("w", query).join("\n")
}

#[test]
fn cdnow_has_its_published_totals() {
    let Some(data) = shared_data("cdnow") else { return };
    let folder = Folder::new();
    folder.ok(&["init", "w"]);
    let file = data.join("CDNOW_master.txt");
    folder.ok(&["load", "raw.cdnow_transactions", text(&file), "--history", "--warehouse", "w"]);
    folder.ok(&["build", "--warehouse", "w"]);
    let totals = one(&folder, "SELECT count(*), count(DISTINCT customer_id), round(sum(amount), 2) FROM core.orders");
    assert_eq!(totals, "69659,23570,2500315.63");
}
