//! What tables, views and functions say of themselves.

use super::shop::{W, built_of};
use crate::support::Folder;

#[test]
fn a_function_is_described_wherever_one_is() {
    let nowhere = Folder::new();
    let all = nowhere.ok(&["describe", "functions"]);
    assert!(all.lines().count() > 30 && all.contains("clusters"), "{all}");
    let one = nowhere.ok(&["describe", "clusters"]);
    assert!(
        one.contains("SELECT * FROM clusters((SELECT") && one.contains("kmeans, mini_batch, mixture, dbscan"),
        "{one}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&nowhere.ok(&["describe", "clusters", "--format", "json"])).expect("JSON");
    assert_eq!(json["settings"][2]["name"], "method");
    assert_eq!(json["settings"][2]["default"], "kmeans");
    let of_values = nowhere.ok(&["describe", "variant"]);
    assert!(of_values.contains("\nSELECT variant(unit, salt"), "{of_values}");
}

#[test]
fn a_shop_has_an_answer_to_every_question_but_that_of_coupons() {
    let folder = built_of(300);
    let described = folder.ok(&["describe", "insights", "--warehouse", W]);
    let views: Vec<&str> = described.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(views.len() > 40, "{described}");
    let counts: Vec<String> = views.iter().map(|view| format!("SELECT '{view}', count(*) FROM {view}")).collect();
    let counts = folder.sql(W, &counts.join(" UNION ALL "));
    let empty: Vec<&str> = counts.iter().filter_map(|row| row.strip_suffix(",0")).collect();
    assert_eq!(empty, ["insights.coupons"]);
    let unknown = folder.fails(&["describe", "clutsers", "--warehouse", W]);
    assert!(unknown.contains("no schema, table, view or function clutsers"), "{unknown}");
}
