//! Defines how a data file is copied without some of its rows. Nothing of them is left in the copy: dictionaries,
//! statistics and page indexes are made anew.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, RecordBatchReader};
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use crate::error::{BoxError, Error, Result};
use crate::layout::Layout;
use crate::writer::{BATCH_ROWS, EncodedFile, FileEncoder, blocking};

/// Which rows of a batch go.
pub type Rule = Arc<dyn Fn(&RecordBatch) -> Result<BooleanArray, BoxError> + Send + Sync>;

/// What a file is without some rows.
#[derive(Debug)]
pub(super) struct Without {
    pub(super) removed: u64,
    /// The copy; None if no row goes, or none of a table's file stays.
    pub(super) copy: Option<EncodedFile>,
}

/// How the copy is to be written.
#[derive(Debug, Clone)]
pub(super) enum Form {
    Stored(Layout),
    Published,
    /// Not at all: the rows are only counted.
    Uncopied,
}

/// The file `bytes` of `table` without the rows that `rule` says.
pub(super) async fn without(table: &str, bytes: Bytes, form: Form, rule: &Rule) -> Result<Without> {
    let (name, rule) = (table.to_owned(), Arc::clone(rule));
    blocking(move || copy(&name, bytes, &form, &rule)).await
}

fn copy(table: &str, bytes: Bytes, form: &Form, rule: &Rule) -> Result<Without> {
    let failed = |e: ParquetError| Error::parquet(table, e);
    let unread = |e: ArrowError| failed(e.into());
    let mut kept: Vec<BooleanArray> = Vec::new();
    let mut removed = 0;
    for batch in read(bytes.clone()).map_err(failed)? {
        let goes = rule(&batch.map_err(unread)?).map_err(|source| Error::Input { table: table.to_owned(), source })?;
        removed += goes.true_count() as u64;
        // What the rule can't tell stays.
        kept.push(goes.iter().map(|goes| Some(goes != Some(true))).collect());
    }
    let is_empty = kept.iter().all(|kept| kept.true_count() == 0);
    let reader = read(bytes).map_err(failed)?;
    let encoder = match form {
        _ if removed == 0 => return Ok(Without { removed, copy: None }),
        Form::Stored(layout) if !is_empty => FileEncoder::stored(reader.schema(), layout, None),
        // What is published has a file for every table, without rows too.
        Form::Published => FileEncoder::published(reader.schema()),
        Form::Stored(_) | Form::Uncopied => return Ok(Without { removed, copy: None }),
    };
    let mut encoder = encoder.map_err(failed)?;
    for (batch, kept) in reader.zip(kept) {
        let batch = filter_record_batch(&batch.map_err(unread)?, &kept).map_err(unread)?;
        encoder = encoder.write(&batch).map_err(failed)?;
    }
    Ok(Without { removed, copy: Some(encoder.finish().map_err(failed)?) })
}

fn read(bytes: Bytes) -> Result<ParquetRecordBatchReader, ParquetError> {
    ParquetRecordBatchReaderBuilder::try_new(bytes)?.with_batch_size(BATCH_ROWS).build()
}
