//! Other programs read what is written here: delta-rs for Python, pyarrow and DuckDB.

use std::ffi::OsString;
use std::process::Command;

use serde_json::{Value, json};

use super::*;
use crate::bucket_of;

/// Names a Python with deltalake, pyarrow, duckdb and moto.
const READERS: &str = "PERENNIAL_READERS";

pub(super) fn readers() -> Option<OsString> {
    let python = std::env::var_os(READERS);
    if python.is_none() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{READERS} names no Python with the readers");
        #[allow(clippy::print_stderr)]
        {
            eprintln!("skipped: {READERS} names no Python with deltalake, pyarrow, duckdb and moto");
        }
    }
    python
}

#[tokio::test]
async fn other_programs_read_the_same_rows() {
    let Some(python) = readers() else { return };
    let (folder, store) = new_store().await;
    let notes = [None, Some(""), Some("😀 ok"), Some("a=b/c"), Some("顾客"), Some("NULL"), Some("tab\t\"quote\"\\")];
    let mut rows = some_rows(60, "r");
    for (i, row) in rows.iter_mut().enumerate() {
        row.note = notes[i % notes.len()].map(str::to_owned);
        row.customer_id = [None, Some("顾客=1/2"), Some("c 1")][i % 3].map(str::to_owned);
        row.amount = (i % 5 > 0).then_some(i as f64 / 8.0);
    }
    for half in rows.chunks(30) {
        append_rows(&store, "core.orders", described("t"), half).await.unwrap();
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/readers.py");
    let output = Command::new(python).arg(script).arg(folder.path().join("core/orders")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "customer_id": row.customer_id,
                "event_time": row.event_time,
                "id": row.id,
                "note": row.note,
                "amount": row.amount,
                "bucket": bucket_of(row.customer_id.as_deref(), 4),
            })
        })
        .collect();
    assert_eq!(read["rows"], json!(expected));
    assert_eq!(read["old"], json!(30), "the version before");
}
