//! What is made of what, told from the SQL.

use crate::support::Folder;

#[test]
fn a_feature_leads_back_to_the_columns_of_its_file() {
    let folder = Folder::new();
    folder.ok(&["init", "w"]);
    folder.write(
        "lines.csv",
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
         536365,85123A,HOLDER,6,2010-12-01T08:26:00,2.55,17850,United Kingdom\n",
    );
    folder.ok(&["load", "raw.online_retail_lines", "lines.csv", "--history", "--warehouse", "w"]);
    let lineage = |more: &[&str]| folder.ok(&[&["lineage", "--warehouse", "w"], more].concat());

    let json = lineage(&["features.customer.total_amount", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let derivations = json.as_array().expect("derivations");
    let from = |by: &str, column: &str| -> Vec<&str> {
        let derivation = derivations.iter().find(|d| d["by"] == by).unwrap_or_else(|| panic!("no {by} in {json:#}"));
        let columns = derivation["columns"].as_array().expect("columns");
        let found =
            columns.iter().find(|c| c["name"] == column).unwrap_or_else(|| panic!("no {column} in {columns:?}"));
        found["from"].as_array().expect("columns").iter().filter_map(|from| from.as_str()).collect()
    };
    assert_eq!(
        from("sql/staging/online_retail/orders.sql", "amount"),
        ["raw.online_retail_lines.Quantity", "raw.online_retail_lines.UnitPrice"]
    );
    assert_eq!(from("sql/features/customer.sql", "total_amount"), ["features.value.total_amount"]);
    assert_eq!(from("publish", "total_amount"), ["marts.customer_360.total_amount"]);

    let table = lineage(&["core.orders"]);
    for name in
        ["raw.online_retail_lines", "features.value", "marts.customer_360", "published.customer_360", "tasks.churn"]
    {
        assert!(table.contains(name), "{name} is not in\n{table}");
    }
    let diagram = lineage(&["labels.churn", "--format", "mermaid"]);
    assert!(
        diagram.starts_with("graph LR\n") && diagram.contains(r#"labels_churn["labels.churn"] --> tasks_churn"#),
        "{diagram}"
    );
    let unknown = folder.fails(&["lineage", "core.order", "--warehouse", "w"]);
    assert!(unknown.contains("core.orders"), "{unknown}");
}
