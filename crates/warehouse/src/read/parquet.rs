//! Defines reading of Parquet files as table types.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{BATCH_ROWS, broken_row, file_error, io_error};
use crate::conform::{normalise, table_type};
use crate::error::{Error, Result};

pub(super) fn columns(path: &Path) -> Result<Vec<(String, Option<DataType>)>> {
    let builder = open(path)?;
    let fields = builder.schema().fields().iter();
    fields
        .map(|field| match table_type(field.data_type()) {
            // A column that is NULL throughout says nothing about its type.
            Some(_) if field.data_type() == &DataType::Null => Ok((field.name().clone(), None)),
            Some(data_type) => Ok((field.name().clone(), Some(data_type))),
            None => {
                let problem = format!("column \"{}\" is of type {}", field.name(), field.data_type());
                Err(file_error(path, format!("{problem}, which tables don't hold; flatten it or leave it out")))
            }
        })
        .collect()
}

pub(super) fn read(path: &Path, sink: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
    let reader = open(path)?.with_batch_size(BATCH_ROWS).build().map_err(|e| file_error(path, e.to_string()))?;
    let mut row = 0;
    for batch in reader {
        let batch = batch.map_err(|e| broken_row(path, row + 1, e.to_string()))?;
        let mut fields = Vec::with_capacity(batch.num_columns());
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let column = normalise(column).map_err(|misfit| Error::WrongValue {
                place: format!("{}, row {}", path.display(), row + misfit.row as u64 + 1),
                column: field.name().clone(),
                value: misfit.value,
                problem: misfit.problem,
            })?;
            fields.push(Field::new(field.name(), column.data_type().clone(), true));
            columns.push(column);
        }
        row += batch.num_rows() as u64;
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
        sink(batch?)?;
    }
    Ok(())
}

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(io_error(path))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| file_error(path, e.to_string()))
}
