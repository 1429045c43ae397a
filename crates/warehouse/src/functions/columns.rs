//! How a function reads the columns of its query by their places.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema};
use arrow::util::display::array_value_to_string;

use super::Problem;
use crate::ddl::type_name;

/// Exactly these columns, by what they are for.
pub(super) fn exactly<const N: usize>(columns: &Schema, wanted: [&str; N]) -> Result<[FieldRef; N], Problem> {
    let found: Vec<FieldRef> = columns.fields().iter().cloned().collect();
    found.try_into().map_err(|found: Vec<FieldRef>| {
        format!("its query has {} columns; it needs {}: {}", found.len(), wanted.len(), wanted.join(", "))
    })
}

/// That a column holds numbers, to be read as reals.
pub(super) fn real(field: &Field) -> Result<DataType, Problem> {
    match field.data_type().is_numeric() || *field.data_type() == DataType::Boolean {
        true => Ok(DataType::Float64),
        false => Err(format!("column \"{}\" is {}; it must be a number", field.name(), type_name(field.data_type()))),
    }
}

/// The values of a column of reals.
///
/// # Errors
/// A row without one, by its first column.
pub(super) fn reals(rows: &RecordBatch, column: usize) -> Result<Vec<f64>, Problem> {
    let values = rows.column(column).as_primitive::<Float64Type>();
    match (0..values.len()).find(|row| values.is_null(*row)) {
        Some(row) => Err(format!("column \"{}\" of {} is NULL", rows.schema().field(column).name(), at(rows, row))),
        None => Ok(values.values().to_vec()),
    }
}

/// A row, as its reader knows it: by its first column.
pub(super) fn at(rows: &RecordBatch, row: usize) -> String {
    let value = array_value_to_string(rows.column(0), row).unwrap_or_default();
    format!("{} {value}", rows.schema().field(0).name())
}

/// An algorithm's complaint, with the row that it speaks of.
pub(super) fn told(rows: &RecordBatch, error: analytics::Error) -> Problem {
    match error.row().filter(|row| *row < rows.num_rows()) {
        Some(row) => format!("{}: {error}", at(rows, row)),
        None => error.to_string(),
    }
}
