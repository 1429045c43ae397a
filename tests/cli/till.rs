//! A till whose receipts come in files: small, and every row tells which file it is of.

use crate::support::Folder;
use std::collections::BTreeMap;

/// The warehouse of these tests.
pub const W: &str = "w";
/// Receipts in a file.
pub const ROWS: usize = 20;

/// How receipts become orders.
pub const STAGING: &str = "-- Receipts of the till as orders.
SELECT
    receipt AS order_id,
    card AS customer_id,
    sold_at AS event_time,
    coalesce(_loaded_at, sold_at) AS known_time,
    'store' AS channel,
    'completed' AS status,
    total AS amount
FROM raw.till_receipts
";

/// A warehouse, the SQL of its source, and so many files, `0.csv` and on.
pub fn with_files(count: usize) -> Folder {
    let folder = Folder::new();
    folder.write("sql/staging/till/orders.sql", STAGING);
    for file in 0..count {
        write(&folder, file);
    }
    folder.ok(&["init", W, "--buckets", "4"]);
    folder
}

/// The customer who has one receipt of a file, and none of any other.
pub fn only(file: usize) -> String {
    format!("only-{file:04}")
}

/// Writes a file of receipts, `f<file>-0` and on.
pub fn write(folder: &Folder, file: usize) {
    let card = |i: usize| if i + 1 == ROWS { only(file) } else { format!("card-{}", (file + i) % 11) };
    let row = |i: usize| format!("f{file}-{i},{},2024-01-{:02}T10:00:00Z,{i}.5\n", card(i), i % 28 + 1);
    let rows: String = (0..ROWS).map(row).collect();
    folder.write(&format!("{file}.csv"), &format!("receipt,card,sold_at,total\n{rows}"));
}

pub fn load(folder: &Folder, file: usize) -> String {
    folder.ok(&["load", "raw.till_receipts", &format!("{file}.csv"), "--history", "--warehouse", W])
}

pub fn build(folder: &Folder) {
    folder.ok(&["build", "--warehouse", W]);
}

/// How many receipts of each file are orders.
pub fn orders(folder: &Folder) -> BTreeMap<String, usize> {
    by_file(folder, "core.orders", "order_id")
}

/// How many rows a table has of each file; a row that is there twice is a failure.
pub fn by_file(folder: &Folder, table: &str, id: &str) -> BTreeMap<String, usize> {
    let query = format!(
        "SELECT split_part({id}, '-', 1) AS file, count(*) AS n, count(DISTINCT {id}) AS ids FROM {table} GROUP BY 1"
    );
    let count = |row: String| {
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!(cells[1], cells[2], "{table} has rows of {} twice", cells[0]);
        (cells[0].to_string(), cells[1].parse().expect("a count"))
    };
    folder.sql(W, &query).into_iter().map(count).collect()
}

/// All receipts of these files.
pub fn expected(files: &[usize]) -> BTreeMap<String, usize> {
    files.iter().map(|file| (format!("f{file}"), ROWS)).collect()
}
