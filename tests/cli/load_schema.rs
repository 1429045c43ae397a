//! Columns and types: shown, pinned by the first load, overridden by a file, widened only by new columns.

use super::load::warehouse;
use arrow::array::{ArrayRef, Decimal128Array, RecordBatch};
use parquet::arrow::ArrowWriter;
use std::fs::File;
use std::sync::Arc;

const ORDERS: &str = "id,zip,at,amount,note\n1,10115,2024-01-05,10,\n2,20095,2024-02-05 10:00:00,20,x\n";

#[test]
fn a_dry_run_shows_what_a_load_would_pin_and_changes_nothing() {
    let folder = warehouse();
    folder.write("orders.csv", ORDERS);
    let load = ["load", "raw.mine_orders", "orders.csv", "--warehouse", "w"];
    let dry = folder.ok(&[&load[..], &["--dry-run"]].concat());
    for line in [
        "column  type       example",
        "zip     BIGINT",
        "at      TIMESTAMP  2024-01-05T00:00:00Z",
        "note    VARCHAR    x",
    ] {
        assert!(dry.contains(line), "{line}: {dry}");
    }
    assert!(dry.contains("2 rows from 1 files would be loaded; nothing was changed"), "{dry}");
    assert!(!folder.path("w/raw").exists() && !folder.path("w/_snapshots").exists());
    let loaded = folder.ok(&[&load[..], &["--format", "json"]].concat());
    let loaded: serde_json::Value = serde_json::from_str(&loaded).expect("JSON");
    let column = |i: usize| {
        let column = &loaded["columns"][i];
        ["name", "type", "example"].map(|key| column[key].as_str().unwrap_or("").to_string())
    };
    assert_eq!([column(1), column(4)], [["zip", "BIGINT", "10115"], ["note", "VARCHAR", "x"]]);
    assert_eq!(loaded["columns"][4]["nulls"], 1);
    // A later load that brings no column has nothing new to show.
    folder.write("more.csv", "id,amount\n3,30\n");
    let more = folder.ok(&["load", "raw.mine_orders", "more.csv", "--warehouse", "w"]);
    assert_eq!(more, "raw.mine_orders: 1 rows from 1 files, snapshot 2\n");
}

#[test]
fn what_parquet_has_in_another_form_is_shown() {
    let folder = warehouse();
    let prices = Decimal128Array::from(vec![10, 1950]).with_precision_and_scale(10, 2).expect("decimals");
    let batch = RecordBatch::try_from_iter([("price", Arc::new(prices) as ArrayRef)]).expect("a batch");
    let file = File::create(folder.path("prices.parquet")).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    let load = ["load", "raw.mine_prices", "prices.parquet", "--warehouse", "w"];
    let dry = folder.ok(&[&load[..], &["--dry-run"]].concat());
    assert!(dry.contains("price   DOUBLE from DECIMAL(10,2)      0.1"), "{dry}");
    let loaded: serde_json::Value =
        serde_json::from_str(&folder.ok(&[&load[..], &["--format", "json"]].concat())).expect("JSON");
    assert_eq!([&loaded["columns"][0]["type"], &loaded["columns"][0]["file_type"]], ["DOUBLE", "DECIMAL(10,2)"]);
    folder.ok(&["sql", "COPY (SELECT 1 AS id, make_array('a', 'b') AS tags) TO 'tags.parquet'", "--warehouse", "w"]);
    let text = folder.ok(&["load", "raw.mine_tags", "tags.parquet", "--warehouse", "w"]);
    assert!(text.contains("VARCHAR from List(") && text.contains(r#"["a","b"]"#), "{text}");
}

#[test]
fn types_of_a_file_count_more_than_the_values() {
    let folder = warehouse();
    folder.write("orders.csv", ORDERS);
    folder.write("types.toml", "zip = 'VARCHAR'\namount = 'double'\n");
    let load = |schema| ["load", "raw.mine_orders", "orders.csv", "--schema", schema, "--warehouse", "w"];
    let wrong = |text: &str| {
        folder.write("wrong.toml", text);
        folder.fails(&load("wrong.toml"))
    };
    let error = wrong("zipp = 'VARCHAR'\n");
    assert!(error.contains("zipp") && error.contains("id, zip, at, amount, note"), "{error}");
    let error = wrong("zip = 'INTEGRE'\n");
    assert!(error.contains("zip") && error.contains("INTEGRE") && error.contains("BIGINT"), "{error}");
    let error = wrong("zip 'VARCHAR'\n");
    assert!(error.contains("wrong.toml"), "{error}");
    let error = wrong("note = 'BIGINT'\n");
    assert!(error.contains("orders.csv, line 3, column \"note\": \"x\" is no BIGINT"), "{error}");
    folder.ok(&load("types.toml"));
    let rows = folder.sql("w", "SELECT zip || '', amount FROM raw.mine_orders ORDER BY id");
    assert_eq!(rows, ["10115,10.0", "20095,20.0"]);
    // The table has its types now.
    let error = wrong("zip = 'BIGINT'\n");
    assert!(error.contains("raw.mine_orders.zip is VARCHAR since its first load"), "{error}");
}

#[test]
fn a_wider_value_names_the_way_out_and_new_columns_are_added() {
    let folder = warehouse();
    folder.write("a.csv", "id,amount\n1,10\n");
    folder.write("b.csv", "id,amount\n2,10.5\n");
    folder.write("c.csv", "id,amount,note\n3,30,new\n");
    folder.ok(&["load", "raw.mine_orders", "a.csv", "--warehouse", "w"]);
    let error = folder.fails(&["load", "raw.mine_orders", "b.csv", "--warehouse", "w"]);
    for part in ["b.csv, line 2, column \"amount\": \"10.5\" is no BIGINT", "new table", "--schema"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let text = folder.ok(&["load", "raw.mine_orders", "c.csv", "--warehouse", "w"]);
    assert!(text.contains("note    VARCHAR  new"), "{text}");
    assert_eq!(folder.sql("w", "SELECT id, note FROM raw.mine_orders ORDER BY id"), ["1,", "3,new"]);
}

#[test]
fn values_that_are_no_number_or_date_stay_text() {
    let folder = warehouse();
    folder.write(
        "odd.csv",
        "huge,mixed,padded,flag\n123456789012345678901234567890,2024-01-05,007,true\n1,05/01/2024,8,false\n",
    );
    folder.ok(&["load", "raw.mine_odd", "odd.csv", "--warehouse", "w"]);
    let rows = folder.sql("w", "SELECT huge || '', mixed || '', padded || '', flag FROM raw.mine_odd ORDER BY _row");
    assert_eq!(rows, ["123456789012345678901234567890,2024-01-05,007,true", "1,05/01/2024,8,false"]);
}

#[test]
fn files_without_rows_pin_no_types() {
    let folder = warehouse();
    folder.write("header.csv", "id,amount\r\n");
    folder.write("nothing.csv", "");
    folder.write("types.toml", "id = 'BIGINT'\namount = 'DOUBLE'\n");
    let error = folder.fails(&["load", "raw.mine_orders", "header.csv", "--warehouse", "w"]);
    assert!(error.contains("header.csv") && error.contains("--schema"), "{error}");
    let error = folder.fails(&["load", "raw.mine_orders", "nothing.csv", "--warehouse", "w"]);
    assert!(error.contains("nothing.csv") && error.contains("empty"), "{error}");
    folder.ok(&["load", "raw.mine_orders", "header.csv", "--schema", "types.toml", "--warehouse", "w"]);
    folder.write("rows.csv", "id,amount\r\n1,2\r\n");
    folder.ok(&["load", "raw.mine_orders", "rows.csv", "--warehouse", "w"]);
    assert_eq!(folder.sql("w", "SELECT id, amount FROM raw.mine_orders"), ["1,2.0"]);
}

#[test]
fn a_night_reads_its_sources_as_the_project_says() {
    let folder = warehouse();
    std::fs::create_dir(folder.path("drop")).expect("a folder");
    std::fs::write(folder.path("drop/a.txt"), b"1;\xd5\xc5\xc8\xfd;10\n2;x;much\n").expect("a file");
    let source = "table = 'raw.mine_orders'\nfiles = ['drop']\ndelimiter = ';'\nencoding = 'gb18030'\n\
        columns = ['id', 'name', 'amount']\nmax_rejects = 1\n[sources.schema]\namount = 'DOUBLE'\n";
    folder.write("perennial.toml", &format!("warehouse = 'w'\n[[sources]]\n{source}"));
    let night = folder.ok(&["run"]);
    assert!(night.contains("1 rows from 1 new files, 1 rejected"), "{night}");
    assert_eq!(folder.sql("w", "SELECT id, name, amount FROM raw.mine_orders"), ["1,张三,10.0"]);
}
