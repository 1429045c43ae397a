//! A query's result by column name, cast once at the boundary.

use crate::error::{Error, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMicrosecondType};

/// The rows of a query. `what` names it in errors.
pub(crate) struct Rows {
    pub(crate) what: String,
    pub(crate) batches: Vec<RecordBatch>,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    pub(crate) fn texts(&self, column: &str) -> Result<Vec<Option<String>>> {
        self.collect(column, &DataType::Utf8, "text", |array| {
            array.as_string::<i32>().iter().map(|v| v.map(str::to_owned)).collect()
        })
    }

    /// Microseconds since 1970 UTC.
    pub(crate) fn times(&self, column: &str) -> Result<Vec<Option<i64>>> {
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        self.collect(column, &utc, "time", |array| array.as_primitive::<TimestampMicrosecondType>().iter().collect())
    }

    pub(crate) fn numbers(&self, column: &str) -> Result<Vec<Option<f64>>> {
        self.collect(column, &DataType::Float64, "number", |array| array.as_primitive::<Float64Type>().iter().collect())
    }

    pub(crate) fn flags(&self, column: &str) -> Result<Vec<Option<bool>>> {
        self.collect(column, &DataType::Boolean, "boolean", |array| array.as_boolean().iter().collect())
    }

    /// The same, where NULL is an error.
    pub(crate) fn required<T>(&self, column: &str, values: Vec<Option<T>>, expected: &'static str) -> Result<Vec<T>> {
        values.into_iter().collect::<Option<Vec<T>>>().ok_or_else(|| self.wrong(column, expected))
    }

    /// `customer_id` and `as_of` of every row.
    pub(crate) fn keys(&self) -> Result<Vec<(String, i64)>> {
        let customers = self.required("customer_id", self.texts("customer_id")?, "text without NULL")?;
        let times = self.required("as_of", self.times("as_of")?, "time without NULL")?;
        Ok(customers.into_iter().zip(times).collect())
    }

    fn collect<T>(
        &self,
        column: &str,
        to: &DataType,
        expected: &'static str,
        values: impl Fn(&dyn Array) -> Vec<Option<T>>,
    ) -> Result<Vec<Option<T>>> {
        let mut all = Vec::with_capacity(self.len());
        for batch in &self.batches {
            let array = batch.column_by_name(column).ok_or_else(|| self.wrong(column, expected))?;
            let array = cast(array, to).map_err(|_| self.wrong(column, expected))?;
            all.extend(values(array.as_ref()));
        }
        Ok(all)
    }

    fn wrong(&self, column: &str, expected: &'static str) -> Error {
        Error::Column { what: self.what.clone(), column: column.into(), expected }
    }
}
