//! Defines [`Store::optimize`]: many files of a bucket become one, in the same order.
//!
//! Every append adds a file to each bucket that it touches, and a scan merges them all. Older versions keep the files
//! they name. The rows stay what they are, and the log says so, so that readers of changes see none.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use deltalake::kernel::{Action, Add};
use deltalake::protocol::DeltaOperation;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use crate::append::{NewFiles, has_file, refuse_old};
use crate::buckets::encode;
use crate::commit::{Commit, remove};
use crate::error::{Error, Result};
use crate::restore::epoch_transaction;
use crate::schema::to_stored;
use crate::store::Store;
use crate::table::{DataFile, Table};
use crate::writer::{BATCH_ROWS, FILE_BYTES, blocking};

/// What became of a table's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Optimized {
    /// The version that has the merged files; the same as before if there was nothing to merge.
    pub version: u64,
    /// Files that were merged.
    pub merged: usize,
    /// Into how many.
    pub into: usize,
}

impl Store {
    /// Merges the files of every bucket of a clustered table that has more than `most_files` of them, one bucket in memory
    /// at a time.
    ///
    /// `version` is the one that a snapshot names. None, and nothing is changed, if the table has got rows since: they
    /// belong to work that is not finished, and a version on top of it would show them.
    pub async fn optimize(&self, name: &str, version: u64, most_files: usize) -> Result<Option<Optimized>> {
        let named = self.table(name, version).await?;
        // A later version with as many rows is that of a killed merge: rows are only ever added.
        let snapshot = self.snapshot().await?;
        let Some(table) = self.settled(name, &snapshot).await?.filter(|table| table.rows() == named.rows()) else {
            return Ok(None);
        };
        let mut buckets: BTreeMap<i32, Vec<&DataFile>> = BTreeMap::new();
        for file in &table.files {
            if let Some(bucket) = file.bucket {
                buckets.entry(bucket).or_default().push(file);
            }
        }
        buckets.retain(|_, files| files.len() > most_files);
        if buckets.is_empty() {
            return Ok(Some(Optimized { version: table.version, merged: 0, into: 0 }));
        }
        let (schema, layout) = (table.schema.clone(), table.layout.clone());
        let mut new = NewFiles { store: self, table: name, layout: &layout, schema, adds: Vec::new() };
        for (bucket, files) in &buckets {
            if let Err(error) = merge(&mut new, *bucket, files).await {
                new.remove().await;
                return Err(error);
            }
        }
        let merged: Vec<&DataFile> = buckets.into_values().flatten().collect();
        replace(&new, &merged, &table, snapshot.epoch).await
    }
}

/// Writes the rows of one bucket's files as one file.
async fn merge(new: &mut NewFiles<'_>, bucket: i32, files: &[&DataFile]) -> Result<()> {
    let mut held = Vec::new();
    for file in files {
        let path = new.store.root.relative(&file.path).unwrap_or_default();
        let bytes = new.store.root.get(&path).await?;
        let (table, schema) = (new.table.to_owned(), new.schema.clone());
        let batches = blocking(move || read(&table, bytes, &schema)).await?;
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if rows as u64 != file.rows {
            let reason = format!("it has {rows} rows, and the log says {}", file.rows);
            return Err(Error::Damaged { path: file.path.to_string(), reason });
        }
        held.extend(batches);
    }
    let (schema, layout) = (new.schema.clone(), new.layout.clone());
    let file = blocking(move || encode(&held, &schema, &layout)).await.map_err(|e| Error::parquet(new.table, e))?;
    new.upload(vec![(Some(bucket), file)]).await
}

/// The rows of a file with the table's columns, also those that are newer than the file.
fn read(table: &str, bytes: Bytes, schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
    let failed = |e: ParquetError| Error::parquet(table, e);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|r| r.with_batch_size(BATCH_ROWS).build());
    let batches = reader.map_err(failed)?.map(|batch| to_stored(table, &batch.map_err(|e| failed(e.into()))?, schema));
    batches.collect()
}

/// Commits the new files in place of the `merged` ones, if `table` still is the newest version.
async fn replace(new: &NewFiles<'_>, merged: &[&DataFile], table: &Table, epoch: u64) -> Result<Option<Optimized>> {
    let (store, name) = (new.store, new.table);
    let message = format!("optimize {name}: {} files into {}", merged.len(), new.adds.len());
    let operation = DeltaOperation::Optimize { predicate: None, target_size: FILE_BYTES as i64 };
    let transactions: Vec<_> = epoch_transaction(epoch).into_iter().collect();
    let commit = Commit { table: name, operation, message: &message, transactions: &transactions };
    let adds = new.adds.iter().cloned().map(|add| Ok(Action::Add(Add { data_change: false, ..add })));
    let actions = adds.chain(merged.iter().map(|file| remove(store, name, file, false))).collect::<Result<Vec<_>>>()?;
    refuse_old(name, &new.adds)?;
    let optimized = |version| Some(Optimized { version, merged: merged.len(), into: new.adds.len() });
    match store.try_commit(&commit, Some(table), actions).await {
        Ok(Some(table)) => return Ok(optimized(table.version)),
        Ok(None) => {}
        Err(error) => {
            if error.is_of_erasure() {
                new.remove().await;
            }
            return Err(error);
        }
    }
    // A commit of ours may have landed though its answer was lost.
    let next = table.version + 1;
    match store.table(name, next).await {
        Ok(table) if new.adds.first().is_some_and(|add| has_file(store, &table, add)) => Ok(optimized(next)),
        _ => {
            new.remove().await;
            Ok(None)
        }
    }
}
