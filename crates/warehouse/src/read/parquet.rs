//! Defines reading of Parquet files.

use std::fs::File;

use arrow::datatypes::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::rows::Rows;
use super::{BATCH_ROWS, FileColumns, InputFile, file_error, io_error};
use crate::conform::table_type;
use crate::error::Result;

/// With the file's own types.
pub(super) fn columns(file: &InputFile) -> Result<FileColumns> {
    let builder = open(file)?;
    let fields = builder.schema().fields().iter();
    fields
        .map(|field| match (field.data_type(), table_type(field.data_type())) {
            // A column that is NULL throughout says nothing about its type.
            (DataType::Null, _) => Ok((field.name().clone(), None)),
            (own, Some(_)) => Ok((field.name().clone(), Some(own.clone()))),
            (own, None) => {
                let problem = format!("column \"{}\" is of type {own}, which tables don't hold", field.name());
                let way_out = "leave it out, as COPY (SELECT …) TO 'other.parquet' does";
                Err(file_error(file, format!("{problem}; {way_out}")))
            }
        })
        .collect()
}

pub(super) fn read<T>(
    file: &InputFile,
    work: impl Fn(Rows) -> Result<T>,
    sink: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    let reader = open(file)?.with_batch_size(BATCH_ROWS).build().map_err(|e| file_error(file, e.to_string()))?;
    let mut before = 0;
    for batch in reader {
        let batch = batch.map_err(|e| file_error(file, format!("after row {before}: {e}")))?;
        before += batch.num_rows();
        sink(work(Rows::without_lines(batch))?)?;
    }
    Ok(())
}

fn open(file: &InputFile) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let opened = File::open(&file.path).map_err(io_error(file))?;
    ParquetRecordBatchReaderBuilder::try_new(opened).map_err(|e| file_error(file, e.to_string()))
}
