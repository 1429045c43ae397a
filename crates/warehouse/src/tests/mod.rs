//! What this crate promises, on small warehouses in fresh folders.

mod actions;
mod append;
mod build;
mod catalog;
mod erase;
mod functions;
mod grain;
mod lineage;
mod load;
mod operators;
mod point_in_time;
mod quality;
mod real;
mod restore;
mod session;

use std::path::{Path, PathBuf};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::util::display::array_value_to_string;
use store::Store;
use tempfile::TempDir;

use crate::{LoadOptions, LoadReport, Result, Session, SessionOptions, Warehouse};

const BUCKETS: u32 = 4;

/// A fresh warehouse with a project folder for SQL files.
struct Shop {
    folder: TempDir,
    warehouse: Warehouse,
}

impl Shop {
    /// With these files below `sql/`, over the shipped ones.
    async fn new(files: &[(&str, &str)]) -> Shop {
        let folder = TempDir::new().unwrap();
        let store = Store::init(&folder.path().join("shop").to_string_lossy(), [], BUCKETS).await.unwrap();
        let sql = folder.path().join("sql");
        std::fs::create_dir(&sql).unwrap();
        write_sql(&sql, files);
        let warehouse = Warehouse::open(store, Some(&sql)).unwrap();
        Shop { folder, warehouse }
    }

    /// With a source `tiny`: `raw.tiny_orders` to orders, rows without a customer's name set aside.
    async fn tiny() -> Shop {
        Shop::new(TINY).await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_string_lossy().into_owned()
    }

    async fn load(&self, table: &str, files: &[String]) -> Result<LoadReport> {
        let options = LoadOptions { history: true, ..LoadOptions::default() };
        self.warehouse.load(table, files, &options, &|_| {}).await
    }

    async fn session(&self) -> Session {
        self.warehouse.session(SessionOptions::default()).await.unwrap()
    }

    /// The rows of a query as text.
    async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        rows_of(&self.session().await, sql).await
    }

    async fn count(&self, table: &str) -> i64 {
        let batches = self.session().await.sql(&format!("SELECT count(*) FROM {table}")).await.unwrap();
        batches.collect().await.unwrap()[0].column(0).as_primitive::<Int64Type>().value(0)
    }
}

const TINY: &[(&str, &str)] = &[
    (
        "staging/tiny/orders.sql",
        "-- Tiny orders.\nSELECT order_id, customer AS customer_id, at AS event_time, coalesce(_loaded_at, at) AS known_time,
         status, amount FROM raw.tiny_orders WHERE customer IS NOT NULL",
    ),
    (
        "staging/tiny/set_aside.sql",
        "-- Tiny rows left out.\nSELECT 'tiny' AS source, 'orders' AS core_table, 'no customer' AS reason, count(*) AS row_count
         FROM raw.tiny_orders WHERE customer IS NULL HAVING count(*) > 0",
    ),
];

const TINY_ORDERS: &str = "order_id,customer,at,status,amount\n\
    o1,a,2026-01-01T10:00:00,completed,10\n\
    o2,b,2026-01-02T10:00:00,completed,20\n\
    o3,,2026-01-03T10:00:00,completed,30\n\
    o4,a,2026-01-04T10:00:00,completed,40\n";

fn write_sql(folder: &Path, files: &[(&str, &str)]) {
    for (path, sql) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, sql).unwrap();
    }
}

async fn rows_of(session: &Session, sql: &str) -> Vec<Vec<String>> {
    texts(&session.sql(sql).await.unwrap().collect().await.unwrap())
}

fn texts(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let row = |batch: &RecordBatch, row: usize| {
        batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap()).collect()
    };
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|r| row(batch, r))).collect()
}

/// The error's message, and that it holds every one of `parts`.
fn assert_says<T: std::fmt::Debug>(result: Result<T>, parts: &[&str]) {
    let message = result.unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "\"{part}\" is not in: {message}");
    }
}
