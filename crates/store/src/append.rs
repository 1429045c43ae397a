//! Defines [`Store::append`]: rows become files, and the files one commit.
//!
//! Files are written before the commit names them, so a killed append leaves files that nobody reads, and no half of
//! its rows. The rows of a clustered table become a sorted file for each bucket.

use std::future::ready;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::Utc;
use deltalake::DeltaTableError;
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::{Action, Add, MetadataExt, StructType, new_metadata};
use deltalake::protocol::{DeltaOperation, SaveMode};
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::errors::ParquetError;
use serde_json::json;
use uuid::Uuid;

use crate::BUCKET;
use crate::buckets::Buckets;
use crate::commit::{Commit, pause};
use crate::error::{BoxError, Error, Result};
use crate::layout::Layout;
use crate::restore::epoch_transaction;
use crate::schema::{refuse_empty_customer, storable, to_stored};
use crate::snapshot::{ATTEMPTS, Snapshot};
use crate::store::Store;
use crate::table::{Table, add_action, table_folder};
use crate::vacuum::ORPHAN_AGE;
use crate::writer::{FileEncoder, FileOfBucket, blocking, logged_columns};

/// Rows of a clustered append that are held before they are sorted; more of them wait in a temporary file.
const BUFFER_BYTES: usize = 256 << 20;
/// Files on their way to the object store at once.
const UPLOADS: usize = 8;

/// Commits from one checkpoint of the log to the next: a table is opened by reading at most so many commits.
pub(crate) const CHECKPOINT_INTERVAL: u32 = 10;

/// What an append is, beside its rows.
#[derive(Debug, Clone)]
pub struct Append {
    /// For people: what was done, in the commit of the Delta log.
    pub operation: String,
    /// The columns of the rows; those that the table lacks are added to it.
    pub schema: SchemaRef,
    /// What this append holds: application id and version. If the table has all of them, at these versions or later
    /// ones, nothing is appended.
    pub transactions: Vec<(String, i64)>,
    /// [`Snapshot::epoch`] of the snapshot that the rows were made of: nothing is appended if one was restored since. None
    /// for rows that come from elsewhere.
    ///
    /// [`Snapshot::epoch`]: crate::Snapshot::epoch
    pub epoch: Option<u64>,
}

impl Store {
    /// Appends `batches` to the table `name` in one commit on top of its newest version, and returns the version that
    /// has them. Creates the table if there is none; other appends at the same time are no conflict.
    ///
    /// Columns are matched by name; text may come in any Arrow form, other types must be those of the table.
    ///
    /// Errors: [`Error::Layout`] and [`Error::Column`] if the rows do not fit, [`Error::Input`] if `batches` fails,
    /// [`Error::AlreadyWritten`] if another writer recorded a part of the transactions, [`Error::Restored`].
    pub async fn append<S, E>(&self, name: &str, layout: &Layout, append: Append, batches: S) -> Result<Table>
    where
        S: Stream<Item = Result<RecordBatch, E>> + Send,
        E: Into<BoxError>,
    {
        self.append_buffered(name, layout, append, batches, BUFFER_BYTES).await
    }

    pub(crate) async fn append_buffered<S, E>(
        &self,
        name: &str,
        layout: &Layout,
        append: Append,
        batches: S,
        buffer_bytes: usize,
    ) -> Result<Table>
    where
        S: Stream<Item = Result<RecordBatch, E>> + Send,
        E: Into<BoxError>,
    {
        self.check_buckets(name, layout)?;
        let append = Append { schema: storable(name, &append.schema, layout)?, ..append };
        let snapshot = self.snapshot().await?;
        if append.epoch.is_some_and(|epoch| epoch != snapshot.epoch) {
            return Err(Error::Restored { table: name.to_owned() });
        }
        let existing = self.settled(name, &snapshot).await?;
        if let Some(table) = existing.as_ref().filter(|table| !table.is_void) {
            merged_schema(table, layout, &append.schema)?;
            if is_written(table, &append.transactions).await? {
                return Ok(table.clone());
            }
        }
        let mut files = NewFiles { store: self, table: name, layout, schema: append.schema.clone(), adds: Vec::new() };
        if let Err(error) = files.write(batches, buffer_bytes).await {
            files.remove().await;
            return Err(error);
        }
        let table = match self.commit(name, layout, &append, &files.adds, existing, &snapshot).await {
            // These come before a commit, and the rows must not stay behind.
            Err(error) if error.is_of_erasure() => {
                files.remove().await;
                return Err(error);
            }
            // After another failure the files stay: the commit may have landed though its answer was lost.
            committed => committed?,
        };
        if files.adds.first().is_some_and(|add| !has_file(self, &table, add)) {
            files.remove().await;
        }
        Ok(table)
    }

    /// All clustered tables have the buckets of the warehouse: work goes on bucket by bucket, across tables.
    fn check_buckets(&self, name: &str, layout: &Layout) -> Result<()> {
        match layout {
            Layout::Clustered { buckets, key } if *buckets != self.buckets() => {
                let existing = Layout::Clustered { buckets: self.buckets(), key: key.clone() }.to_string();
                Err(Error::Layout { table: name.to_owned(), existing, asked: layout.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// Commits `adds` on top of `newest`, if it still is the newest version. If not, looks at the table anew before
    /// every further try, so a table that somebody else made, widened or wrote the same transaction to is seen, and so
    /// is a commit of ours that landed though its answer was lost.
    async fn commit(
        &self,
        name: &str,
        layout: &Layout,
        append: &Append,
        adds: &[Add],
        mut newest: Option<Table>,
        snapshot: &Snapshot,
    ) -> Result<Table> {
        let partition_by = layout.partition_columns().iter().map(|&column| column.to_owned()).collect();
        let transactions: Vec<_> =
            append.transactions.iter().cloned().chain(epoch_transaction(snapshot.epoch)).collect();
        let commit = Commit {
            table: name,
            operation: DeltaOperation::Write {
                mode: SaveMode::Append,
                partition_by: Some(partition_by),
                predicate: None,
            },
            message: &append.operation,
            transactions: &transactions,
        };
        for attempt in 0..ATTEMPTS {
            refuse_old(name, adds)?;
            let mut actions = match newest.as_ref().filter(|table| !table.is_void) {
                None => creation(name, layout, &append.schema)?,
                Some(table) => widening(table, layout, &append.schema)?,
            };
            actions.extend(adds.iter().cloned().map(Action::Add));
            match newest {
                Some(table) if actions.is_empty() && append.transactions.is_empty() => return Ok(table),
                _ => {}
            }
            if let Some(table) = self.try_commit(&commit, newest.as_ref(), actions).await? {
                return Ok(table);
            }
            pause(attempt).await;
            newest = self.settled(name, snapshot).await?;
            if let Some(table) = &newest {
                let landed = adds.first().is_some_and(|add| has_file(self, table, add));
                if landed || is_written(table, &append.transactions).await? {
                    return Ok(table.clone());
                }
            }
        }
        Err(Error::Contended { what: format!("appending to {name}"), attempts: ATTEMPTS })
    }
}

/// The files of one commit to come, as they are written.
pub(crate) struct NewFiles<'a> {
    pub(crate) store: &'a Store,
    pub(crate) table: &'a str,
    pub(crate) layout: &'a Layout,
    pub(crate) schema: SchemaRef,
    pub(crate) adds: Vec<Add>,
}

impl NewFiles<'_> {
    async fn write<S, E>(&mut self, batches: S, buffer_bytes: usize) -> Result<()>
    where
        S: Stream<Item = Result<RecordBatch, E>> + Send,
        E: Into<BoxError>,
    {
        let (table, schema, is_clustered) = (self.table, self.schema.clone(), self.layout.is_clustered());
        let mut rows = 0;
        let batches = batches.map(move |batch| -> Result<RecordBatch> {
            let batch = batch.map_err(|e| Error::Input { table: table.to_owned(), source: e.into() })?;
            let batch = to_stored(table, &batch, &schema)?;
            if is_clustered {
                refuse_empty_customer(table, &batch, rows + 1)?;
            }
            rows += batch.num_rows() as u64;
            Ok(batch)
        });
        let batches = std::pin::pin!(batches.try_filter(|batch| ready(batch.num_rows() > 0)));
        match self.layout {
            Layout::Clustered { buckets, .. } => self.write_clustered(batches, *buckets, buffer_bytes).await,
            _ => self.write_in_order(batches).await,
        }
    }

    async fn write_clustered(
        &mut self,
        mut batches: impl Stream<Item = Result<RecordBatch>> + Unpin,
        buckets: u32,
        buffer_bytes: usize,
    ) -> Result<()> {
        let mut rows = Buckets::new(self.table, &self.schema, self.layout, buckets, buffer_bytes);
        while let Some(batch) = batches.try_next().await? {
            if rows.push(batch) {
                rows = blocking(move || rows.split()).await?;
            }
        }
        rows = blocking(move || rows.split()).await?;
        // Files go out while the next ones are encoded.
        let mut files = Vec::new();
        while !rows.is_empty() {
            let next = blocking(move || rows.encode_next());
            ((rows, files), ()) = tokio::try_join!(next, self.upload(files))?;
        }
        self.upload(files).await
    }

    async fn write_in_order(&mut self, mut batches: impl Stream<Item = Result<RecordBatch>> + Unpin) -> Result<()> {
        let failed = |e: ParquetError| Error::parquet(self.table, e);
        let mut open: Option<FileEncoder> = None;
        loop {
            let batch = batches.try_next().await?;
            let is_last = batch.is_none();
            if let Some(batch) = batch {
                let encoder = match open.take() {
                    Some(encoder) => encoder,
                    None => FileEncoder::stored(self.schema.clone(), self.layout, Some(&batch)).map_err(failed)?,
                };
                open = Some(blocking(move || encoder.write(&batch)).await.map_err(failed)?);
            }
            if let Some(encoder) = open.take_if(|encoder| is_last || encoder.is_full()) {
                let file = blocking(move || encoder.finish()).await.map_err(failed)?;
                self.upload(vec![(None, file)]).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    pub(crate) async fn upload(&mut self, files: Vec<FileOfBucket>) -> Result<()> {
        let now = Utc::now().timestamp_millis();
        let root = &self.store.root;
        let mut puts = Vec::with_capacity(files.len());
        for (bucket, file) in files {
            // Ids rise with time, so the order of names is the order of writing.
            let name = match bucket {
                Some(bucket) => format!("{BUCKET}={bucket}/{}.parquet", Uuid::now_v7()),
                None => format!("{}.parquet", Uuid::now_v7()),
            };
            self.adds.push(add_action(&name, bucket, &file, now));
            let path = format!("{}/{name}", table_folder(self.table)?);
            puts.push(async move { root.put(&path, file.bytes).await });
        }
        futures::stream::iter(puts).buffer_unordered(UPLOADS).try_collect().await
    }

    /// Deletes the files, which no commit names, as far as that goes.
    pub(crate) async fn remove(&self) {
        for add in &self.adds {
            let deleted = match file_path(self.store, self.table, add) {
                Ok(path) => self.store.root.objects.delete(&path).await.map_err(|e| Error::storage(path, e)),
                Err(error) => Err(error),
            };
            if let Err(error) = deleted {
                tracing::debug!(table = self.table, %error, "an unused file stays behind");
            }
        }
    }
}

/// The actions that make a new table.
fn creation(name: &str, layout: &Layout, schema: &SchemaRef) -> Result<Vec<Action>> {
    let logged = logged_columns(schema);
    let (statistics, value) = match logged.is_empty() {
        true => ("delta.dataSkippingNumIndexedCols", "0".to_owned()),
        false => ("delta.dataSkippingStatsColumns", logged.join(",")),
    };
    let mut properties = layout.to_properties();
    properties.push((statistics, value));
    properties.push(("delta.enableExpiredLogCleanup", "false".to_owned()));
    properties.push(("delta.checkpointInterval", CHECKPOINT_INTERVAL.to_string()));
    let partition_columns = layout.partition_columns();
    let metadata = new_metadata(&delta_schema(name, layout, schema)?, partition_columns, properties)
        .and_then(|metadata| metadata.with_name(name.to_owned()))
        .map_err(|e| Error::delta(name, e))?;
    let protocol = serde_json::from_value(json!({ "minReaderVersion": 1, "minWriterVersion": 2 }));
    let protocol = protocol.map_err(|e| Error::delta(name, DeltaTableError::from(e)))?;
    Ok(vec![Action::Protocol(protocol), Action::Metadata(metadata)])
}

/// The actions that add the columns of `schema` which `table` lacks; none if it has them all.
fn widening(table: &Table, layout: &Layout, schema: &SchemaRef) -> Result<Vec<Action>> {
    let merged = merged_schema(table, layout, schema)?;
    if merged.fields().len() == table.schema.fields().len() {
        return Ok(Vec::new());
    }
    let metadata = table.state.metadata().clone().with_schema(&delta_schema(&table.name, layout, &merged)?);
    Ok(vec![Action::Metadata(metadata.map_err(|e| Error::delta(&table.name, e))?)])
}

/// The columns of `table`, then those that only `schema` has. The types must agree, and so must the layout.
fn merged_schema(table: &Table, layout: &Layout, schema: &SchemaRef) -> Result<SchemaRef> {
    if table.layout != *layout {
        let (existing, asked) = (table.layout.to_string(), layout.to_string());
        return Err(Error::Layout { table: table.name.clone(), existing, asked });
    }
    let mut fields: Vec<_> = table.schema.fields().iter().cloned().collect();
    for field in schema.fields() {
        match fields.iter().find(|known| known.name().eq_ignore_ascii_case(field.name())) {
            None => fields.push(field.clone()),
            Some(known) if known.name() == field.name() && known.data_type() == field.data_type() => {}
            Some(known) => {
                let (had, got) = (known.data_type(), field.data_type());
                let reason = format!("is {got} now, but the table has {had} '{}'", known.name());
                return Err(Error::column(&table.name, field.name(), reason));
            }
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn delta_schema(name: &str, layout: &Layout, schema: &SchemaRef) -> Result<StructType> {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields.extend(layout.partition_columns().iter().map(|&column| Field::new(column, DataType::Int32, true).into()));
    (&Schema::new(fields)).try_into_kernel().map_err(|e| Error::column(name, "*", e.to_string()))
}

/// Whether `table` has all of the transactions; having only some of them is an error.
async fn is_written(table: &Table, transactions: &[(String, i64)]) -> Result<bool> {
    let mut found = Vec::new();
    for (app_id, version) in transactions {
        if table.transaction(app_id).await?.is_some_and(|newest| newest >= *version) {
            found.push(app_id);
        }
    }
    match found.first() {
        None => Ok(false),
        Some(_) if found.len() == transactions.len() => Ok(true),
        Some(app_id) => Err(Error::AlreadyWritten { table: table.name.clone(), app_id: (*app_id).clone() }),
    }
}

/// Refuses to name files that vacuum may have taken, because no log named them for so long.
pub(crate) fn refuse_old(table: &str, adds: &[Add]) -> Result<()> {
    let oldest = Utc::now() - ORPHAN_AGE / 2;
    match adds.iter().any(|add| add.modification_time < oldest.timestamp_millis()) {
        true => Err(Error::TooOld { table: table.to_owned(), hours: (ORPHAN_AGE / 2).num_hours() }),
        false => Ok(()),
    }
}

pub(crate) fn has_file(store: &Store, table: &Table, add: &Add) -> bool {
    file_path(store, &table.name, add).is_ok_and(|path| table.files.iter().any(|file| file.path == path))
}

fn file_path(store: &Store, table: &str, add: &Add) -> Result<Path> {
    store.path(&format!("{}/{}", table_folder(table)?, add.path))
}
