//! The attainable truth as the files hold it, for whoever judges a model by it.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::tables::{ATTAINABLE, ATTAINABLE_NEXT};
use crate::{Error, Result};

/// What the best possible model would say at one cut-off.
#[derive(Debug, Clone, PartialEq)]
pub struct AttainableTruth {
    /// Cut-off, microseconds since 1970 UTC.
    pub as_of: i64,
    pub horizon_days: i64,
    pub customers: HashMap<String, CustomerTruth>,
    /// The most probable products of the next purchase, best first.
    pub next_products: HashMap<String, Vec<String>>,
}

/// What can be known about one customer's horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CustomerTruth {
    /// Probability of no completed purchase.
    pub p_churn: f64,
    /// Expected net amount of the orders.
    pub expected_value: f64,
}

/// Reads the attainable truth from the folder `truth` of a simulated shop.
///
/// # Errors
/// [`Error::Read`]: a file is missing, empty or not one that this crate wrote.
pub fn read_attainable(truth: &Path) -> Result<AttainableTruth> {
    let name = |file: &str| Path::new(file).file_name().map(|name| truth.join(name)).unwrap_or_default();
    let (outlook, next) = (name(ATTAINABLE.file), name(ATTAINABLE_NEXT.file));
    let mut read =
        AttainableTruth { as_of: 0, horizon_days: 0, customers: HashMap::new(), next_products: HashMap::new() };
    for batch in batches(&outlook)? {
        add_outlooks(&mut read, &batch)
            .ok_or_else(|| unreadable(&outlook, "a column is missing or of another type"))?;
    }
    for batch in batches(&next)? {
        add_products(&mut read, &batch).ok_or_else(|| unreadable(&next, "a column is missing or of another type"))?;
    }
    if read.customers.is_empty() {
        return Err(unreadable(&outlook, "it has no rows"));
    }
    Ok(read)
}

fn batches(path: &Path) -> Result<Vec<RecordBatch>> {
    let failed = |error: &dyn std::fmt::Display| unreadable(path, error);
    let file = File::open(path).map_err(|e| failed(&e))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build());
    reader.map_err(|e| failed(&e))?.collect::<std::result::Result<_, _>>().map_err(|e| failed(&e))
}

fn unreadable(path: &Path, reason: impl std::fmt::Display) -> Error {
    Error::Read { path: path.to_owned(), reason: reason.to_string() }
}

fn add_outlooks(read: &mut AttainableTruth, batch: &RecordBatch) -> Option<()> {
    let customers = batch.column_by_name("customer_id")?.as_string_opt::<i32>()?;
    let as_of = batch.column_by_name("as_of")?.as_primitive_opt::<TimestampMicrosecondType>()?;
    let horizon = batch.column_by_name("horizon_days")?.as_primitive_opt::<Int64Type>()?;
    let p_churn = batch.column_by_name("p_churn")?.as_primitive_opt::<Float64Type>()?;
    let value = batch.column_by_name("expected_value")?.as_primitive_opt::<Float64Type>()?;
    for row in 0..batch.num_rows() {
        (read.as_of, read.horizon_days) = (as_of.value(row), horizon.value(row));
        let outlook = CustomerTruth { p_churn: p_churn.value(row), expected_value: value.value(row) };
        read.customers.insert(customers.value(row).to_owned(), outlook);
    }
    Some(())
}

/// Rows of a customer come best first.
fn add_products(read: &mut AttainableTruth, batch: &RecordBatch) -> Option<()> {
    let customers = batch.column_by_name("customer_id")?.as_string_opt::<i32>()?;
    let products = batch.column_by_name("product_id")?.as_string_opt::<i32>()?;
    for row in 0..batch.num_rows() {
        let listed = read.next_products.entry(customers.value(row).to_owned()).or_default();
        listed.push(products.value(row).to_owned());
    }
    Some(())
}
