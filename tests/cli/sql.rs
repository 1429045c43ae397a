//! `perennial sql`: statements in, rows out, in every form; files, versions and mistakes.

use crate::support::Folder;
use std::io::Write;
use std::process::Stdio;

const W: [&str; 2] = ["--warehouse", "w"];

/// A warehouse with two loads of orders: two rows, then one more.
fn loaded() -> Folder {
    let folder = Folder::new();
    folder.ok(&["init", "w"]);
    for (file, rows) in [("one.csv", "1,007,2024-01-05,10.5\n2,b,2024-02-05,20\n"), ("two.csv", "3,c,2024-03-05,30\n")]
    {
        folder.write(file, &format!("order_id,customer_id,ordered_at,amount\n{rows}"));
        folder.ok(&["load", "raw.mine_orders", file, "--history", "--warehouse", "w"]);
    }
    folder
}

fn sql(folder: &Folder, arguments: &[&str]) -> String {
    folder.ok(&[&["sql"], arguments, &W].concat())
}

fn fails(folder: &Folder, query: &str) -> String {
    folder.fails(&["sql", query, "--warehouse", "w"])
}

fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "\"{part}\" is not in: {text}");
    }
}

#[test]
fn statements_run_in_order_wherever_they_come_from() {
    let folder = loaded();
    let text = "SELECT 1 AS a; -- one; not two\nSELECT ';' AS b;";
    let wanted = "a\n1\nb\n;\n";
    assert_eq!(sql(&folder, &[text, "--format", "csv"]), wanted);
    folder.write("both.sql", text);
    assert_eq!(sql(&folder, &["--file", "both.sql", "--format", "csv"]), wanted);
    let mut command = folder.command(&["sql", "--format", "csv", "--warehouse", "w"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary runs");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("the end");
    assert_eq!(String::from_utf8_lossy(&output.stdout), wanted);
    // What is wrong further down is found before anything runs.
    let output = folder.run(&["sql", "COPY (SELECT 1) TO 'early.csv'; SELEC 2", "--warehouse", "w"]);
    assert!(!output.status.success() && !folder.path("early.csv").exists());
    let error = folder.fails(&["sql", "SELECT 1; SELECT 2", "--out", "x.csv", "--warehouse", "w"]);
    assert_says(&error, &["--out", "2", "COPY"]);
}

#[test]
fn rows_come_in_every_form() {
    let folder = loaded();
    let query = "SELECT order_id, customer_id AS \"who|what\", nullif(amount, 20) AS amount FROM raw.mine_orders \
        WHERE order_id < 3 ORDER BY order_id";
    let forms = [
        ("csv", "order_id,who|what,amount\n1,007,10.5\n2,b,\n"),
        (
            "json",
            "[{\"order_id\":1,\"who|what\":\"007\",\"amount\":10.5},{\"order_id\":2,\"who|what\":\"b\",\"amount\":null}]\n",
        ),
        (
            "ndjson",
            "{\"order_id\":1,\"who|what\":\"007\",\"amount\":10.5}\n{\"order_id\":2,\"who|what\":\"b\",\"amount\":null}\n",
        ),
        ("markdown", "| order_id | who\\|what | amount |\n| ---: | --- | ---: |\n| 1 | 007 | 10.5 |\n| 2 | b |  |\n"),
        (
            "table",
            "+----------+----------+--------+\n| order_id | who|what | amount |\n+----------+----------+--------+\n\
             | 1        | 007      | 10.5   |\n| 2        | b        |        |\n+----------+----------+--------+\n",
        ),
    ];
    for (form, wanted) in forms {
        assert_eq!(sql(&folder, &[query, "--format", form]), wanted, "{form}");
    }
    let nothing = "SELECT order_id FROM raw.mine_orders WHERE order_id < 0";
    for (form, wanted) in
        [("csv", "order_id\n"), ("json", "[]\n"), ("ndjson", ""), ("markdown", "| order_id |\n| ---: |\n")]
    {
        assert_eq!(sql(&folder, &[nothing, "--format", form]), wanted, "{form}");
    }
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let folder = loaded();
    let mistakes: [(&str, &[&str]); 6] = [
        ("SELECT order_id\nFROM raw.mine_orders\nWHER amount > 3", &["line 3, column 6:\nWHER amount > 3\n     ^"]),
        (
            "SELECT 1,\n  amuont FROM raw.mine_orders",
            &["no column amuont", "names: amount\nline 2, column 3:\n  amuont FROM raw.mine_orders\n  ^"],
        ),
        ("SELECT o.amuont FROM raw.mine_orders o", &["no column o.amuont", "o.amount\nline 1, column 8:"]),
        ("SELECT cuont(*) FROM raw.mine_orders", &["no function cuont", "count", "line 1, column 8:\nSELECT cuont(*)"]),
        ("SELECT 1; SELECT *\nFROM core.order", &["core.orders", "line 2, column 6:\nFROM core.order\n     ^"]),
        ("SELECT 'open", &["line 1, column 8:"]),
    ];
    for (query, parts) in mistakes {
        assert_says(&fails(&folder, query), parts);
    }
    // In a view the place is one of the view.
    folder.write("sql/features/mine.sql", "-- Mine.\nSELECT\n    days_sinse_order FROM features.recency\n");
    assert_says(
        &fails(&folder, "SELECT * FROM features.mine"),
        &["sql/features/mine.sql", "days_since_order", "line 3, column 5:\n    days_sinse_order FROM"],
    );
}

#[test]
fn plans_are_explained() {
    let folder = loaded();
    assert_says(&sql(&folder, &["EXPLAIN SELECT count(*) FROM raw.mine_orders"]), &["logical_plan", "physical_plan"]);
    let analyzed = sql(&folder, &["EXPLAIN ANALYZE SELECT count(*) FROM raw.mine_orders WHERE amount > 15"]);
    assert_says(&analyzed, &["output_rows=1", "elapsed_compute"]);
}

#[test]
fn copy_writes_whole_files_again_and_again() {
    let folder = loaded();
    for _ in 0..2 {
        sql(&folder, &["COPY (SELECT order_id, amount FROM raw.mine_orders ORDER BY order_id) TO 'out.csv'"]);
    }
    let written = std::fs::read_to_string(folder.path("out.csv")).expect("a file");
    assert_eq!(written, "order_id,amount\n1,10.5\n2,20.0\n3,30.0\n");
    sql(&folder, &["COPY (SELECT * FROM raw.mine_orders WHERE false) TO 'none.parquet'"]);
    assert!(folder.path("none.parquet").exists());
    // A query that fails leaves what was there.
    fails(&folder, "COPY (SELECT cast(customer_id AS BIGINT) AS n FROM raw.mine_orders) TO 'out.csv'");
    assert_eq!(std::fs::read_to_string(folder.path("out.csv")).expect("a file"), written);
    for (query, parts) in [
        ("COPY raw.mine_orders TO 'out.xlsx'", ["out.xlsx", ".parquet"]),
        ("COPY raw.mine_orders TO 's3://bucket/out.csv'", ["s3://bucket/out.csv", "local"]),
        ("COPY raw.mine_orders TO 'out.csv' STORED AS CSV", ["STORED AS", "ending"]),
        ("COPY raw.mine_order TO 'out.csv'", ["raw.mine_orders", "line 1"]),
    ] {
        assert_says(&fails(&folder, query), &parts);
    }
}
