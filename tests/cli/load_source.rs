//! `source new`: a draft that runs, for files that come with their own names, and never over what is there.

use crate::support::Folder;

const RECEIPTS: &str = "ReceiptNo;Card;Sold At;Total;Cashier\n\
    0001;007;2024-01-05 10:00:00;10.5;Kim\n0002;007;2024-02-05 11:00:00;20;Lee\n";

#[test]
fn a_drafted_source_loads_builds_and_gives_features() {
    let folder = Folder::new();
    folder.write("drop/receipts.csv", RECEIPTS);
    let new = folder.ok(&["source", "new", "till", "drop/*.csv", "--history"]);
    for part in
        ["core.orders", "order_id     ReceiptNo", "customer_id  Card", "amount       Total", "not used: Cashier"]
    {
        assert!(new.contains(part), "{part}: {new}");
    }
    let sql = std::fs::read_to_string(folder.path("sql/staging/till/orders.sql")).expect("a staging file");
    assert!(sql.contains("-- channel: not in the source.") && sql.contains("NULL AS VARCHAR) AS channel"), "{sql}");
    folder.ok(&["init", "warehouse"]);
    folder.ok(&["run"]);
    let rows = folder.sql(
        "warehouse",
        "SELECT order_id, customer_id, event_time, known_time, status, amount FROM core.orders ORDER BY 1",
    );
    let times = ["2024-01-05T10:00:00Z", "2024-02-05T11:00:00Z"];
    let row = |id, time, amount| format!("{id},007,{time},{time},completed,{amount}");
    assert_eq!(rows, [row("0001", times[0], "10.5"), row("0002", times[1], "20.0")]);
    assert_eq!(folder.sql("warehouse", "SELECT count_orders FROM features.customer"), ["2"]);

    // Again: nothing is replaced, and nothing half done.
    let toml = std::fs::read_to_string(folder.path("perennial.toml")).expect("a project");
    let error = folder.fails(&["source", "new", "till", "drop/*.csv"]);
    assert!(error.contains("staging/till/orders.sql") && error.contains("not replaced"), "{error}");
    let error = folder.fails(&["source", "new", "shop", "drop/*.csv"]);
    assert!(error.contains("a shipped source has that name") && error.contains("use another"), "{error}");
    std::fs::remove_file(folder.path("sql/staging/till/orders.sql")).expect("removed");
    let error = folder.fails(&["source", "new", "till", "drop/*.csv"]);
    assert!(error.contains("raw.till_orders") && error.contains("perennial.toml"), "{error}");
    assert!(!folder.path("sql/staging/till/orders.sql").exists());
    assert_eq!(std::fs::read_to_string(folder.path("perennial.toml")).expect("a project"), toml);
}

#[test]
fn each_kind_of_file_finds_its_table_and_keeps_what_it_was_told() {
    let folder = Folder::new();
    folder.write("perennial.toml", "# Ours.\nwarehouse = 'w'\n");
    folder.ok(&["init", "w"]);
    for (name, text, table) in [
        ("people.csv", "customer_id,name,email,created_at\n1,Ann,a@x,2024-01-01\n", "customers"),
        ("lines.csv", "order_id,sku,qty,price,date\n1,A,2,1.5,2024-01-02\n", "order_lines"),
        ("goods.csv", "id,product_name,category,price,listed\n1,Tea,drinks,3,2024-01-01\n", "products"),
        (
            "clicks.ndjson",
            "{\"event_id\":\"e\",\"user_id\":\"1\",\"event\":\"view\",\"timestamp\":\"2024-01-03T00:00:00Z\"}\n",
            "events",
        ),
    ] {
        folder.write(name, text);
        let told: &[&str] = if table == "products" { &["--table", "core.products"] } else { &[] };
        let new = folder.ok(&[&["source", "new", "crm", name, "--history"], told].concat());
        assert!(new.contains(&format!("core.{table}")), "{name}: {new}");
    }
    let toml = std::fs::read_to_string(folder.path("perennial.toml")).expect("a project");
    assert!(toml.starts_with("# Ours.\nwarehouse = 'w'\n") && toml.matches("[[sources]]").count() == 4, "{toml}");
    // The catalogue has no time to be known by, and says so.
    let error = folder.fails(&["run"]);
    assert!(error.contains("crm/products.sql") && error.contains("event_time"), "{error}");
    let sql = std::fs::read_to_string(folder.path("sql/staging/crm/products.sql")).expect("a staging file");
    let given = sql.replace("cast(NULL AS TIMESTAMP)", "cast(listed AS TIMESTAMP)");
    folder.write("sql/staging/crm/products.sql", &given);
    folder.ok(&["run"]);
    let counts = ["customers", "order_lines", "products", "events"]
        .map(|t| folder.sql("w", &format!("SELECT count(*) FROM core.{t}")));
    assert_eq!(counts.concat(), ["1", "1", "1", "1"]);
    folder.write("odd.csv", "a,b\n1,2\n");
    let error = folder.fails(&["source", "new", "odd", "odd.csv"]);
    assert!(error.contains("a, b") && error.contains("--table") && error.contains("core.orders"), "{error}");
    let error = folder.fails(&["source", "new", "odd", "odd.csv", "--table", "core.order"]);
    assert!(error.contains("core.order\"") && error.contains("core.orders"), "{error}");
}
