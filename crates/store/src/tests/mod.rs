//! What a warehouse promises, checked against folders of this machine, a store that breaks at any write, and other
//! programs' readers.

mod append;
mod concurrent;
mod doctor;
mod erase;
mod flaky;
mod folder;
mod history;
mod kill;
mod optimize;
mod publish;
mod readers;
mod restore;
mod root;
mod s3;
mod snapshot;
mod vacuum;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef, TimestampMicrosecondType};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use crate::root::Root;
use crate::schema::timestamp;
use crate::{Append, DataFile, Layout, Result, Store, Table};

/// A row of the test table. `id` is what tells rows apart.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
struct Row {
    customer_id: Option<String>,
    event_time: Option<i64>,
    known_time: Option<i64>,
    id: String,
    note: Option<String>,
    amount: Option<f64>,
}

fn row(customer_id: &str, event_time: i64, id: &str) -> Row {
    Row {
        customer_id: Some(customer_id.to_owned()),
        event_time: Some(event_time),
        known_time: Some(event_time),
        id: id.to_owned(),
        note: None,
        amount: Some(1.5),
    }
}

/// `count` rows of a few customers, told apart by `tag`.
fn some_rows(count: usize, tag: &str) -> Vec<Row> {
    (0..count)
        .map(|i| row(&format!("c{}", i % 7), 1_700_000_000_000_000 + i as i64, &format!("{tag}-{i:05}")))
        .collect()
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("customer_id", DataType::Utf8, true),
        Field::new("event_time", timestamp(), true),
        Field::new("known_time", timestamp(), true),
        Field::new("id", DataType::Utf8, true),
        Field::new("note", DataType::Utf8, true),
        Field::new("amount", DataType::Float64, true),
    ]))
}

fn batch(rows: &[Row]) -> RecordBatch {
    fn text<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
        Arc::new(values.collect::<StringArray>())
    }
    fn time(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
        Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    }
    let columns = vec![
        text(rows.iter().map(|row| row.customer_id.as_deref())),
        time(rows.iter().map(|row| row.event_time)),
        time(rows.iter().map(|row| row.known_time)),
        text(rows.iter().map(|row| Some(row.id.as_str()))),
        text(rows.iter().map(|row| row.note.as_deref())),
        Arc::new(rows.iter().map(|row| row.amount).collect::<Float64Array>()),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let text = |name: &str, i: usize| {
        let column = batch.column_by_name(name).unwrap().as_string::<i32>();
        column.iter().nth(i).unwrap().map(str::to_owned)
    };
    let time = |name: &str, i: usize| {
        batch.column_by_name(name).unwrap().as_primitive::<TimestampMicrosecondType>().iter().nth(i).unwrap()
    };
    let row = |i| Row {
        customer_id: text("customer_id", i),
        event_time: time("event_time", i),
        known_time: time("known_time", i),
        id: text("id", i).unwrap(),
        note: text("note", i),
        amount: batch.column_by_name("amount").unwrap().as_primitive::<Float64Type>().iter().nth(i).unwrap(),
    };
    (0..batch.num_rows()).map(row).collect()
}

fn stream(batches: Vec<RecordBatch>) -> impl Stream<Item = Result<RecordBatch, std::io::Error>> + Send {
    futures::stream::iter(batches.into_iter().map(Ok))
}

fn clustered(buckets: u32) -> Layout {
    Layout::Clustered { buckets, key: vec!["id".to_owned()] }
}

fn described(operation: &str) -> Append {
    Append { operation: operation.to_owned(), schema: schema(), transactions: Vec::new(), epoch: None }
}

fn once(app_id: &str) -> Append {
    Append { transactions: vec![(app_id.to_owned(), 1)], ..described(app_id) }
}

async fn append_rows(store: &Store, name: &str, append: Append, rows: &[Row]) -> Result<Table> {
    store.append(name, &clustered(store.buckets()), append, stream(vec![batch(rows)])).await
}

const NO_OPTIONS: [(String, String); 0] = [];

async fn new_store() -> (TempDir, Store) {
    store_with(4).await
}

async fn store_with(buckets: u32) -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::init(folder.path().to_str().unwrap(), NO_OPTIONS, buckets).await.unwrap();
    (folder, store)
}

async fn file_bytes(store: &Store, file: &DataFile) -> Bytes {
    store.object_store().get(&file.path).await.unwrap().bytes().await.unwrap()
}

async fn read_file(store: &Store, file: &DataFile) -> Vec<Row> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file_bytes(store, file).await).unwrap().build().unwrap();
    reader.flat_map(|batch| rows_of(&batch.unwrap())).collect()
}

async fn read_table(store: &Store, table: &Table) -> Vec<Row> {
    let mut rows = Vec::new();
    for file in &table.files {
        rows.extend(read_file(store, file).await);
    }
    sorted(rows)
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by(|a, b| a.partial_cmp(b).unwrap());
    rows
}

/// How a [`BreakingStore`] breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    /// The write never happens: the machine was switched off before it.
    Before,
    /// The write happens, but nobody hears of it.
    After,
    /// Nothing is killed: of ten calls, reads and writes, one fails. Which ones, the budget decides.
    OneInTen,
}

/// Stands for a process that is killed: from its `budget`-th write on, nothing works any more. Or for a bad connection.
#[derive(Debug, Clone)]
struct BreakingStore {
    inner: Arc<dyn ObjectStore>,
    writes: Arc<AtomicUsize>,
    budget: usize,
    mode: Break,
}

impl BreakingStore {
    /// `root`, with only `budget` writes that work.
    fn root(root: &Root, budget: usize, mode: Break) -> Root {
        let store = BreakingStore { inner: root.objects.clone(), writes: Arc::default(), budget, mode };
        Root { objects: Arc::new(store), ..root.clone() }
    }

    fn check(&self) -> object_store::Result<()> {
        if self.mode == Break::OneInTen {
            let call = self.writes.fetch_add(1, Ordering::SeqCst);
            let draw = xxhash_rust::xxh3::xxh3_64_with_seed(&call.to_le_bytes(), self.budget as u64) % 10;
            return if draw == 0 { Err(killed()) } else { Ok(()) };
        }
        if self.writes.load(Ordering::SeqCst) > self.budget { Err(killed()) } else { Ok(()) }
    }

    async fn write<T>(&self, write: impl Future<Output = object_store::Result<T>>) -> object_store::Result<T> {
        if self.mode == Break::OneInTen {
            self.check()?;
            return write.await;
        }
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if number == self.budget + 1 && self.mode == Break::After {
            write.await?;
        } else if number <= self.budget {
            return write.await;
        }
        Err(killed())
    }
}

fn killed() -> object_store::Error {
    object_store::Error::Generic { store: "test", source: "killed".into() }
}

impl fmt::Display for BreakingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BreakingStore")
    }
}

#[async_trait]
impl ObjectStore for BreakingStore {
    async fn put_opts(&self, to: &Path, data: PutPayload, options: PutOptions) -> object_store::Result<PutResult> {
        self.write(self.inner.put_opts(to, data, options)).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.write(self.inner.put_multipart_opts(to, options)).await
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.check()?;
        self.inner.get_opts(from, options).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        let store = self.clone();
        let delete = move |path: object_store::Result<Path>| {
            let store = store.clone();
            async move {
                let path = path?;
                store.write(store.inner.delete(&path)).await?;
                Ok(path)
            }
        };
        paths.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        match self.check() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures::stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.check()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.write(self.inner.copy_opts(from, to, options)).await
    }
}
