use std::collections::BTreeMap;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{
    ArrayRef, BinaryArray, Decimal128Array, DictionaryArray, Float64Array, Int32Array, ListArray, RecordBatch,
    StringArray, StringViewArray, StructArray, TimestampNanosecondArray, UInt16Array,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use parquet::arrow::ArrowWriter;

use super::{Shop, TINY_ORDERS, assert_says};
use crate::LoadOptions;
use crate::ddl::timestamp;

/// Rows of a file that is read in several pieces.
const LARGE: u64 = 200_000;

#[tokio::test]
async fn files_become_typed_rows_in_their_order() {
    let shop = Shop::tiny().await;
    let file = shop.write("orders.csv", TINY_ORDERS);
    let seen = AtomicU64::new(0);
    let options = LoadOptions { history: true, ..LoadOptions::default() };
    let report =
        shop.warehouse.load("raw.tiny_orders", &[file], &options, &|n| seen.store(n, Ordering::Relaxed)).await.unwrap();
    assert_eq!((report.rows, report.snapshot.id, seen.load(Ordering::Relaxed)), (4, 1, 4));
    let rows = shop.rows("SELECT order_id, amount, _source, _file, _row, _loaded_at FROM raw.tiny_orders").await;
    assert_eq!(rows[2], ["o3", "30", "tiny", "orders.csv", "3", ""]);
    let schema = shop.session().await.sql("SELECT at, amount FROM raw.tiny_orders").await.unwrap().schema();
    assert_eq!(schema.field(0).data_type(), &timestamp());
    assert_eq!(schema.field(1).data_type(), &DataType::Int64);
}

#[tokio::test]
async fn the_same_content_is_loaded_once_under_any_name() {
    let shop = Shop::tiny().await;
    let first = shop.write("orders.csv", TINY_ORDERS);
    let same = shop.write("other/name.csv", TINY_ORDERS);
    shop.load("raw.tiny_orders", slice::from_ref(&first)).await.unwrap();
    let again = shop.load("raw.tiny_orders", &[first, same]).await.unwrap();
    assert_eq!((again.rows, again.files.len(), again.skipped.len(), again.snapshot.id), (0, 0, 2, 1));
    assert_eq!(shop.count("raw.tiny_orders").await, 4);
}

#[tokio::test]
async fn what_was_loaded_as_news_does_not_become_history() {
    let shop = Shop::tiny().await;
    let file = shop.write("orders.csv", TINY_ORDERS);
    let news = LoadOptions::default();
    let load = |options: LoadOptions| {
        let (shop, files) = (&shop, [file.clone()]);
        async move { shop.warehouse.load("raw.tiny_orders", &files, &options, &|_| {}).await }
    };
    load(news.clone()).await.unwrap();
    let history = LoadOptions { history: true, ..news.clone() };
    assert_says(load(history).await, &["orders.csv", "loaded without --history", "new warehouse"]);
    assert_eq!(load(news).await.unwrap().skipped.len(), 1);
}

#[tokio::test]
async fn a_name_that_comes_again_with_other_rows_stays_distinct() {
    let shop = Shop::tiny().await;
    for (folder, amount) in [("mon", 1), ("tue", 2), ("wed", 3)] {
        let file = shop.write(&format!("{folder}/orders.csv"), &format!("order_id,amount\nx,{amount}\n"));
        shop.load("raw.tiny_orders", &[file]).await.unwrap();
    }
    let rows = shop.rows("SELECT amount, _file, _row FROM raw.tiny_orders ORDER BY amount").await;
    assert_eq!(rows, [["1", "orders.csv", "1"], ["2", "orders.csv~2", "1"], ["3", "orders.csv~3", "1"]]);
}

#[tokio::test]
async fn later_files_fit_the_table_or_widen_it() {
    let shop = Shop::tiny().await;
    let first = shop.write("a.csv", "id,amount\n1,2.5\n");
    shop.load("raw.tiny_x", &[first]).await.unwrap();
    let wider = shop.write("b.csv", "id,note,amount\n2,hello,3\n");
    shop.load("raw.tiny_x", &[wider]).await.unwrap();
    let narrower = shop.write("c.csv", "id\n3\n");
    shop.load("raw.tiny_x", &[narrower]).await.unwrap();
    let rows = shop.rows("SELECT id, amount, note FROM raw.tiny_x ORDER BY id").await;
    assert_eq!(rows, [["1", "2.5", ""], ["2", "3.0", "hello"], ["3", "", ""]]);

    let wrong = shop.write("d.csv", "id,amount\n4,1\n5,much\n");
    let result = shop.load("raw.tiny_x", &[wrong]).await;
    assert_says(result, &["d.csv, line 3", "column \"amount\"", "\"much\"", "no DOUBLE", "nothing was loaded"]);
    let padded = shop.write("e.csv", "id,amount\n007,1\n");
    assert_says(shop.load("raw.tiny_x", &[padded]).await, &["e.csv, line 2", "\"007\"", "no BIGINT", "leading zeros"]);
    assert_eq!(shop.count("raw.tiny_x").await, 3);
}

/// Types are told from the first rows; what comes further on counts all the same.
#[tokio::test]
async fn a_type_is_that_of_all_values_however_late_they_come() {
    let shop = Shop::tiny().await;
    let cases = [
        ("1", "2.5", DataType::Float64),
        ("1", "x", DataType::Utf8),
        ("", "7", DataType::Int64),
        ("", " ", DataType::Utf8),
        ("1.5", "7", DataType::Float64),
        ("1.5", "12345678901234567890", DataType::Utf8),
        ("2026-01-31", "2026-01-31T10:00:00Z", timestamp()),
        ("true", "1", DataType::Utf8),
    ];
    for (i, (early, late, expected)) in cases.into_iter().enumerate() {
        let early: String = (1..=LARGE).map(|id| format!("{id},{early}\n")).collect();
        let file = shop.write("large.csv", &format!("id,value\n{early}0,{late}\n"));
        let table = format!("raw.tiny_{i}");
        let report = shop.load(&table, slice::from_ref(&file)).await.unwrap();
        assert_eq!(report.rows, LARGE + 1);
        let query = format!("SELECT value, _row FROM {table} WHERE id = 0");
        let schema = shop.session().await.sql(&query).await.unwrap().schema();
        assert_eq!(schema.field(0).data_type(), &expected, "{late}");
        let whole = crate::infer(slice::from_ref(&file), &LoadOptions::default()).await.unwrap();
        assert_eq!(whole.field(1).data_type(), &expected, "{late}");
        assert_eq!(shop.rows(&query).await[0][1], (LARGE + 1).to_string());
    }
}

#[tokio::test]
async fn rows_are_numbered_through_a_large_file() {
    let shop = Shop::tiny().await;
    let row = |id: u64| match id {
        // One of two lines, and one of two many fields.
        5 => "5,\"a\nb\"\n".to_string(),
        id if id == LARGE - 1 => format!("{id},1,2\n"),
        id => format!("{id},x\n"),
    };
    let file = shop.write("large.csv", &format!("id,value\n{}", (1..=LARGE).map(row).collect::<String>()));
    let options = LoadOptions { max_rejects: 1, ..LoadOptions::default() };
    let report = shop.warehouse.load("raw.tiny_x", &[file], &options, &|_| {}).await.unwrap();
    assert_eq!(report.rows, LARGE - 1);
    let rejects = shop.rows("SELECT row_number, line_number, line FROM quality.rejects").await;
    assert_eq!(rejects, [[(LARGE - 1).to_string(), (LARGE + 1).to_string(), format!("{},1,2", LARGE - 1)]]);
    assert_eq!(shop.rows("SELECT count(*) FROM raw.tiny_x WHERE id != _row").await, [["0"]]);
    assert_eq!(shop.rows("SELECT value FROM raw.tiny_x WHERE _row = 5").await, [["a\nb"]]);
}

#[tokio::test]
async fn one_bad_file_keeps_all_files_of_the_call_out() {
    let shop = Shop::tiny().await;
    let good = shop.write("good.csv", "id,amount\n1,2\n");
    let bad = shop.write("bad.csv", "id,amount\n1,2\n3\n");
    assert_says(shop.load("raw.tiny_x", &[good, bad]).await, &["bad.csv, line 3", "1 fields", "2"]);
    assert_eq!(shop.warehouse.store().snapshot().await.unwrap().id, 0);
}

#[tokio::test]
async fn what_can_not_be_read_is_said() {
    let shop = Shop::tiny().await;
    let missing = shop.path("nothing.csv").to_string_lossy().into_owned();
    assert_says(shop.load("raw.tiny_x", &[missing]).await, &["nothing.csv", "glob"]);
    let glob = shop.path("*.tsv").to_string_lossy().into_owned();
    assert_says(shop.load("raw.tiny_x", &[glob]).await, &["*.tsv", "no file matches"]);
    assert_says(shop.load("raw.tiny_x", &[]).await, &["at least one"]);
    let file = shop.write("a.csv", "id\n1\n");
    assert_says(shop.load("core.orders", slice::from_ref(&file)).await, &["core.orders", "raw.<source>_<thing>"]);
    std::fs::create_dir(shop.path("drop")).unwrap();
    let folder = shop.path("drop").to_string_lossy().into_owned();
    assert_says(shop.load("raw.tiny_x", &[folder]).await, &["drop", "no files"]);
    let empty = shop.write("empty.csv", "");
    assert_says(shop.load("raw.tiny_x", &[empty]).await, &["empty.csv", "empty"]);
    let twice = shop.write("twice.csv", "id,id\n1,2\n");
    assert_says(shop.load("raw.tiny_x", &[twice]).await, &["twice.csv", "\"id\" is there twice"]);
    let reserved = shop.write("reserved.csv", "id,_row\n1,2\n");
    assert_says(shop.load("raw.tiny_x", &[reserved]).await, &["reserved.csv", "_row"]);
    let excel = shop.write("a.xlsx", "x");
    assert_says(shop.load("raw.tiny_x", &[excel]).await, &["a.xlsx", "no format", ".csv"]);
    let latin = shop.path("latin.csv");
    std::fs::write(&latin, b"name\nJos\xe9\n").unwrap();
    let latin = latin.to_string_lossy().into_owned();
    assert_says(shop.load("raw.tiny_x", &[latin]).await, &["latin.csv, line 2", "byte 9", "0xE9", "UTF-8"]);
    let json = shop.write("a.json", "{\"id\": 1}\n[1, 2]\n");
    assert_says(shop.load("raw.tiny_x", &[json]).await, &["a.json, line 2", "one JSON object per line"]);
    assert!(!shop.warehouse.store().snapshot().await.unwrap().tables.contains_key("raw.tiny_x"));
}

#[tokio::test]
async fn delimiters_are_told_from_the_first_line() {
    let shop = Shop::tiny().await;
    let files = [
        ("semicolon.csv", "path;total\n\"a;b\";1\n"),
        ("tab.inter", "path\ttotal\na;b\t1\n"),
        ("words.txt", "  path   total\n\n  a;b    1\n"),
        ("mark.csv", "\u{feff}path,total\r\na;b,1\r\n"),
    ];
    for (i, (name, content)) in files.iter().enumerate() {
        let file = shop.write(name, content);
        let table = format!("raw.tiny_{i}");
        shop.load(&table, &[file]).await.unwrap();
        assert_eq!(shop.rows(&format!("SELECT path, total, _row FROM {table}")).await, [["a;b", "1", "1"]], "{name}");
    }
}

#[tokio::test]
async fn a_file_without_header_has_the_names_given() {
    let shop = Shop::tiny().await;
    let file = shop.write("sample.txt", " 00004 0001 19970101  2   29.33\n 00021 0002 19970101  3   63.34\n");
    let names = ["master_id", "id", "date", "cds", "value"].map(String::from).to_vec();
    let mut options = LoadOptions { columns: Some(names), ..LoadOptions::default() };
    shop.warehouse.load("raw.tiny_a", slice::from_ref(&file), &options, &|_| {}).await.unwrap();
    let rows = shop.rows("SELECT master_id, date, value, _row FROM raw.tiny_a").await;
    assert_eq!(rows, [["00004", "19970101", "29.33", "1"], ["00021", "19970101", "63.34", "2"]]);
    options.columns = Some(vec!["only".into()]);
    assert_says(shop.warehouse.load("raw.tiny_c", &[file], &options, &|_| {}).await, &["1 column names", "5"]);
}

#[tokio::test]
async fn json_lines_keep_text_as_text_and_nested_values_as_json() {
    let shop = Shop::tiny().await;
    let file = shop.write(
        "events.ndjson",
        "{\"id\": \"42\", \"n\": 1, \"at\": \"2026-01-31T10:00:00Z\", \"tags\": [\"x\", {\"y\": 1}]}\n\
         {\"n\": 2.5, \"late\": true, \"id\": null}\n",
    );
    shop.load("raw.tiny_events", &[file]).await.unwrap();
    let rows = shop.rows("SELECT id, n, at, tags, late FROM raw.tiny_events ORDER BY _row").await;
    assert_eq!(rows[0], ["42", "1.0", "2026-01-31T10:00:00Z", "[\"x\",{\"y\":1}]", ""]);
    assert_eq!(rows[1], ["", "2.5", "", "", "true"]);
}

#[tokio::test]
async fn parquet_columns_become_table_types() {
    let shop = Shop::tiny().await;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("small", Arc::new(Int32Array::from(vec![1, 2]))),
        ("unsigned", Arc::new(UInt16Array::from(vec![1, 2]))),
        ("real", Arc::new(Float64Array::from(vec![1.5, 2.0]))),
        ("at", Arc::new(TimestampNanosecondArray::from(vec![1_000, 2_999]))),
        ("view", Arc::new(StringViewArray::from(vec!["a", "b"]))),
        ("dictionary", Arc::new(["x", "y"].into_iter().collect::<DictionaryArray<Int32Type>>())),
    ];
    let file = write_parquet(&shop, "a.parquet", columns);
    shop.load("raw.tiny_p", &[file]).await.unwrap();
    let query = shop.session().await.sql("SELECT * FROM raw.tiny_p").await.unwrap();
    let types: Vec<DataType> = query.schema().fields().iter().take(6).map(|f| f.data_type().clone()).collect();
    let text = DataType::Utf8;
    assert_eq!(types, [DataType::Int64, DataType::Int64, DataType::Float64, timestamp(), text.clone(), text]);
    let rows = shop.rows("SELECT dictionary, cast(at AS BIGINT) FROM raw.tiny_p ORDER BY _row").await;
    assert_eq!(rows, [["x", "1"], ["y", "2"]]);
}

#[tokio::test]
async fn a_decimal_is_a_real_that_keeps_its_digits_or_a_reject() {
    let shop = Shop::tiny().await;
    let decimals = |values: Vec<i128>| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(38, 18).unwrap())
    };
    let even = vec![2_500_000_000_000_000_000, 100_000_000_000_000_000];
    let file = write_parquet(&shop, "a.parquet", vec![("price", decimals(even))]);
    let report = shop.load("raw.tiny_d", &[file]).await.unwrap();
    assert_eq!(report.file_types, BTreeMap::from([("price".into(), "DECIMAL(38,18)".into())]));
    let third = vec![1_000_000_000_000_000_000, 3_333_333_333_333_333_333];
    let file = write_parquet(&shop, "b.parquet", vec![("price", decimals(third))]);
    let result = shop.load("raw.tiny_d", slice::from_ref(&file)).await;
    assert_says(result, &["b.parquet, row 2, column \"price\": \"3.333333333333333333\"", "DOUBLE", "VARCHAR"]);
    assert_eq!(shop.rows("SELECT price FROM raw.tiny_d ORDER BY _row").await, [["2.5"], ["0.1"]]);
    let schema = BTreeMap::from([("price".into(), "VARCHAR".into())]);
    let options = LoadOptions { schema, ..LoadOptions::default() };
    shop.warehouse.load("raw.tiny_t", &[file], &options, &|_| {}).await.unwrap();
    assert_eq!(shop.rows("SELECT price FROM raw.tiny_t ORDER BY _row").await, [["1"], ["3.333333333333333333"]]);
}

#[tokio::test]
async fn nested_columns_of_parquet_become_json_text() {
    let shop = Shop::tiny().await;
    let tags = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None]), None]);
    let place = StructArray::from(vec![(
        Arc::new(Field::new("city", DataType::Utf8, true)),
        Arc::new(StringArray::from(vec![Some("Ulm"), None])) as ArrayRef,
    )]);
    let columns: Vec<(&str, ArrayRef)> = vec![("tags", Arc::new(tags)), ("place", Arc::new(place))];
    let file = write_parquet(&shop, "a.parquet", columns);
    let report = shop.load("raw.tiny_n", &[file]).await.unwrap();
    let told: Vec<_> = report.columns.iter().map(|column| (column.name.as_str(), column.data_type.as_str())).collect();
    assert_eq!(told, [("tags", "VARCHAR"), ("place", "VARCHAR")]);
    assert!(report.file_types["tags"].contains("List") && report.file_types["place"].contains("Struct"));
    let rows = shop.rows("SELECT tags, place FROM raw.tiny_n ORDER BY _row").await;
    assert_eq!(rows, [["[1,null]", "{\"city\":\"Ulm\"}"], ["", "{\"city\":null}"]]);
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![b"x".as_slice()]));
    let file = write_parquet(&shop, "b.parquet", vec![("picture", bytes)]);
    assert_says(shop.load("raw.tiny_b", &[file]).await, &["b.parquet", "\"picture\"", "Binary", "COPY (SELECT"]);
}

#[tokio::test]
async fn a_file_with_none_of_the_columns_is_another_tables() {
    let shop = Shop::tiny().await;
    let orders = shop.write("orders.csv", TINY_ORDERS);
    let people = shop.write("people.csv", "id,name\n1,Ann\n");
    let says = ["people.csv", "id, name", "raw.tiny_orders", "order_id, customer, at, status, amount", "another table"];
    // Neither with the files of a first load nor after it.
    assert_says(shop.load("raw.tiny_orders", &[orders.clone(), people.clone()]).await, &says);
    shop.load("raw.tiny_orders", &[orders]).await.unwrap();
    assert_says(shop.load("raw.tiny_orders", &[people]).await, &says);
    let headless = shop.write("headless.csv", "o5,a,2026-01-05,completed,50\n");
    assert_says(shop.load("raw.tiny_orders", &[headless]).await, &["headless.csv", "--columns"]);
    assert_eq!(shop.count("raw.tiny_orders").await, 4);
}

#[tokio::test]
async fn a_load_killed_before_its_snapshot_is_finished_by_the_next() {
    let shop = Shop::tiny().await;
    let file = shop.write("a.csv", "id\n1\n");
    shop.load("raw.tiny_x", &[file]).await.unwrap();
    let second = shop.write("b.csv", "id\n2\n");
    // The commit of the table is there, the snapshot is not.
    shop.load("raw.tiny_x", slice::from_ref(&second)).await.unwrap();
    std::fs::remove_file(shop.path("shop/_snapshots/00000000000000000002.json")).unwrap();
    assert_eq!(shop.count("raw.tiny_x").await, 1);
    let report = shop.load("raw.tiny_x", &[second]).await.unwrap();
    assert_eq!((report.skipped.len(), report.snapshot.id), (1, 2));
    assert_eq!(shop.count("raw.tiny_x").await, 2);
}

#[tokio::test]
async fn what_can_not_be_added_up_is_rejected_with_its_row() {
    let shop = Shop::tiny().await;
    let amounts =
        || -> ArrayRef { Arc::new(Float64Array::from(vec![Some(1.0), None, Some(f64::NAN), Some(f64::INFINITY)])) };
    let ids = || -> ArrayRef { Arc::new(StringArray::from(vec!["a", "b", "c", "d"])) };
    let file = write_parquet(&shop, "odd.parquet", vec![("id", ids()), ("amount", amounts())]);
    let refused = shop.load("raw.tiny_odd", slice::from_ref(&file)).await;
    assert_says(refused, &["2 rows", "row 3", "column \"amount\": \"NaN\" is not a number between", "--max-rejects"]);
    let options = LoadOptions { max_rejects: 2, ..LoadOptions::default() };
    let report = shop.warehouse.load("raw.tiny_odd", &[file], &options, &|_| {}).await.unwrap();
    assert_eq!(report.rows, 2);
    assert_eq!(shop.rows("SELECT id, amount FROM raw.tiny_odd").await, [["a", "1.0"], ["b", ""]]);
    let rejects = shop.rows("SELECT row_number, column_name, value FROM quality.rejects ORDER BY row_number").await;
    assert_eq!(rejects, [["3", "amount", "NaN"], ["4", "amount", "inf"]]);
}

fn write_parquet(shop: &Shop, name: &str, columns: Vec<(&str, ArrayRef)>) -> String {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let path = shop.path(name);
    let mut writer = ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path.to_string_lossy().into_owned()
}
