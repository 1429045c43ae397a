//! Defines `load`: files become rows of a raw table, all of a call in one commit. A file is known by the hash of its
//! content, so that loading it again, under whatever name, adds nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{Stream, stream};
use store::{Append, Layout, Snapshot, Table};
use tokio::sync::mpsc;

use crate::conform::conform;
use crate::ddl::timestamp;
use crate::error::{Error, Result};
use crate::infer::common_type;
use crate::read::{self, Inspection, TextOptions};
use crate::{Warehouse, joined};

/// Columns that every raw table has beside those of its files.
pub const SYSTEM_COLUMNS: [&str; 4] = ["_source", "_file", "_row", "_loaded_at"];
/// Batches on their way from the reader to the writer.
const BATCHES_IN_FLIGHT: usize = 4;

/// What a file's Delta transaction says of how it was loaded: its rows known from the load on, or when they happened.
const AS_NEWS: i64 = 1;
const AS_HISTORY: i64 = 2;

/// How files are to be read and marked.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// A first, historical load: what the files tell was known when it happened (`_loaded_at` is NULL).
    pub history: bool,
    /// When the first file came, each next one a microsecond later; now by default. A nightly run gives all its loads the
    /// same.
    pub loaded_at: Option<DateTime<Utc>>,
    /// Delimited text: the first row holds the column names.
    pub header: bool,
    /// Delimited text: the column names, in place of those of the header.
    pub columns: Option<Vec<String>>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        LoadOptions { history: false, loaded_at: None, header: true, columns: None }
    }
}

/// What a load did.
#[derive(Debug, Clone)]
pub struct LoadReport {
    /// The raw table.
    pub table: String,
    /// Files loaded, in order.
    pub files: Vec<PathBuf>,
    /// Rows added.
    pub rows: u64,
    /// Files whose content is in the table already.
    pub skipped: Vec<PathBuf>,
    /// The newest snapshot; a new one unless every file was skipped.
    pub snapshot: Snapshot,
}

/// A file about to be loaded.
#[derive(Debug, Clone)]
struct Incoming {
    path: PathBuf,
    /// What `_file` says.
    label: String,
    inspection: Inspection,
}

impl Warehouse {
    /// Loads the files that `patterns` (paths or globs) name into `table` (`raw.<source>_<thing>`), which the first load
    /// creates. `progress` is told the number of rows so far.
    ///
    /// Types are taken from the whole content of the first load's files; later files must fit them, and may bring new
    /// columns.
    ///
    /// # Errors
    /// [`Error::NoFile`], [`Error::File`], [`Error::BrokenRow`], [`Error::WrongValue`]: nothing is loaded then.
    pub async fn load(
        &self,
        table: &str,
        patterns: &[String],
        options: &LoadOptions,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<LoadReport> {
        check_name(table)?;
        let paths = expand(patterns)?;
        let text = TextOptions { header: options.header, columns: options.columns.clone() };
        let latest = self.store().latest(table).await?;
        let pinned = latest.as_ref().map_or_else(|| Arc::new(Schema::empty()), |table| Arc::clone(&table.schema));
        let inspected = inspect_all(paths, text.clone(), Arc::clone(&pinned)).await?;

        let rows = AtomicU64::new(0);
        let counted = |count| {
            rows.store(count, Ordering::Relaxed);
            progress(count);
        };
        let (incoming, skipped) = new_files(table, latest.as_ref(), inspected, options).await?;
        let version = match (incoming.is_empty(), &latest) {
            // A load killed before its snapshot has left its commit: the snapshot is all that is missing.
            (true, Some(latest)) => latest.version,
            (true, None) => return Err(no_rows(table)),
            (false, _) => {
                let schema = target_schema(&pinned, &incoming)?;
                let transactions = transactions(table, latest.as_ref(), &incoming, options).await?;
                let operation = format!("load {table}: {} files", incoming.len());
                let append = Append { operation, schema: Arc::clone(&schema), transactions };
                let reader = Reader {
                    files: incoming.clone(),
                    text,
                    schema,
                    source: self.catalog().source_of(table.trim_start_matches("raw.")),
                    loaded_at: (!options.history).then(|| options.loaded_at.unwrap_or_else(Utc::now)),
                };
                let batches = reader.stream(&counted);
                self.store().append(table, &Layout::FileOrder, append, batches).await?.version
            }
        };
        let tables = BTreeMap::from([(table.to_string(), version)]);
        let snapshot = self.store().commit_snapshot(&format!("load {table}"), tables).await?;
        let files = incoming.into_iter().map(|file| file.path).collect();
        Ok(LoadReport { table: table.to_string(), files, rows: rows.into_inner(), skipped, snapshot })
    }
}

fn check_name(table: &str) -> Result<()> {
    let plain = |name: &str| {
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(word)
    };
    match table.strip_prefix("raw.").is_some_and(plain) {
        true => Ok(()),
        false => Err(Error::Argument {
            what: "table",
            value: table.into(),
            valid: "files are loaded into raw.<source>_<thing>, in lower-case letters, digits and _".into(),
        }),
    }
}

/// The files, each once, in the order of the patterns and by name within one.
fn expand(patterns: &[String]) -> Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = Vec::new();
    let none = |pattern: &str, hint: &str| Error::NoFile { pattern: pattern.into(), hint: hint.into() };
    for pattern in patterns {
        let found = match Path::new(pattern) {
            path if path.is_file() => vec![path.to_path_buf()],
            path if path.is_dir() => {
                return Err(none(pattern, "it is a folder; name its files, for example with /*.csv"));
            }
            _ if !pattern.contains(['*', '?', '[']) => {
                return Err(none(pattern, "give a path or a glob like data/*.csv"));
            }
            _ => {
                let matches = glob::glob(pattern).map_err(|e| none(pattern, &format!("it is no glob: {e}")))?;
                let files: Vec<PathBuf> = matches.filter_map(|path| path.ok().filter(|path| path.is_file())).collect();
                if files.is_empty() {
                    return Err(none(pattern, "no file matches it"));
                }
                files
            }
        };
        for path in found {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    match paths.is_empty() {
        true => Err(none("", "give at least one path or glob")),
        false => Ok(paths),
    }
}

async fn inspect_all(paths: Vec<PathBuf>, text: TextOptions, pinned: SchemaRef) -> Result<Vec<(PathBuf, Inspection)>> {
    let inspect = move || {
        let inspect = |path: PathBuf| read::inspect(&path, &text, &pinned).map(|inspection| (path, inspection));
        paths.into_iter().map(inspect).collect()
    };
    joined(tokio::task::spawn_blocking(inspect).await)
}

/// Splits into files to load and files that are there already, or twice in this call.
async fn new_files(
    table: &str,
    latest: Option<&Table>,
    inspected: Vec<(PathBuf, Inspection)>,
    options: &LoadOptions,
) -> Result<(Vec<Incoming>, Vec<PathBuf>)> {
    let (mut incoming, mut skipped, mut seen): (Vec<Incoming>, _, _) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (path, inspection) in inspected {
        let known = match latest {
            Some(latest) => latest.transaction(&file_transaction(table, &inspection.sha256)).await?,
            None => None,
        };
        if options.history && known == Some(AS_NEWS) {
            let problem = "its rows are there already, loaded without --history: they count as known from that load on. \
                To have them known when they happened, start a new warehouse";
            return Err(Error::File { file: path.display().to_string(), problem: problem.into() });
        }
        if known.is_some() || !seen.insert(inspection.sha256.clone()) {
            skipped.push(path);
            continue;
        }
        let name = file_name(&path);
        let before = incoming.iter().filter(|other| file_name(&other.path) == name).count() as i64;
        let nth = before + 1 + times_loaded(table, latest, &name).await?;
        // `_file` and `_row` together name a raw row, also when tomorrow's file has today's name.
        let label = if nth == 1 { name } else { format!("{name}~{nth}") };
        incoming.push(Incoming { path, label, inspection });
    }
    Ok((incoming, skipped))
}

async fn transactions(
    table: &str,
    latest: Option<&Table>,
    incoming: &[Incoming],
    options: &LoadOptions,
) -> Result<Vec<(String, i64)>> {
    let mut names: BTreeMap<String, i64> = BTreeMap::new();
    for file in incoming {
        let name = file_name(&file.path);
        let before = times_loaded(table, latest, &name).await?;
        *names.entry(name).or_insert(before) += 1;
    }
    let how = if options.history { AS_HISTORY } else { AS_NEWS };
    let files = incoming.iter().map(|file| (file_transaction(table, &file.inspection.sha256), how));
    Ok(files.chain(names.into_iter().map(|(name, times)| (name_transaction(table, &name), times))).collect())
}

async fn times_loaded(table: &str, latest: Option<&Table>, name: &str) -> Result<i64> {
    match latest {
        Some(latest) => Ok(latest.transaction(&name_transaction(table, name)).await?.unwrap_or(0)),
        None => Ok(0),
    }
}

fn file_transaction(table: &str, sha256: &str) -> String {
    format!("file:{table}:{sha256}")
}

fn name_transaction(table: &str, name: &str) -> String {
    format!("name:{table}:{name}")
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The table's columns, then those new in `incoming`, then (for a new table) the system columns.
fn target_schema(pinned: &Schema, incoming: &[Incoming]) -> Result<SchemaRef> {
    let mut fields: Vec<Field> = pinned.fields().iter().map(|field| field.as_ref().clone()).collect();
    let mut new: Vec<(&str, Option<DataType>)> = Vec::new();
    for file in incoming {
        for (name, data_type) in &file.inspection.columns {
            if SYSTEM_COLUMNS.contains(&name.as_str()) {
                let problem = format!("column \"{name}\" has a name that raw tables keep for themselves; rename it");
                return Err(Error::File { file: file.path.display().to_string(), problem });
            }
            if pinned.index_of(name).is_ok() {
                continue;
            }
            match new.iter_mut().find(|(known, _)| known == name) {
                None => new.push((name, data_type.clone())),
                Some((_, known)) => {
                    *known = match (known.take(), data_type) {
                        (Some(a), Some(b)) => Some(common_type(&a, b)),
                        (a, b) => a.or_else(|| b.clone()),
                    }
                }
            }
        }
    }
    fields.extend(new.into_iter().map(|(name, data_type)| Field::new(name, data_type.unwrap_or(DataType::Utf8), true)));
    for name in SYSTEM_COLUMNS {
        if pinned.index_of(name).is_err() {
            fields.push(Field::new(name, system_type(name), true));
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn system_type(name: &str) -> DataType {
    match name {
        "_row" => DataType::Int64,
        "_loaded_at" => timestamp(),
        _ => DataType::Utf8,
    }
}

/// Reads files on a thread of its own, a few batches ahead of the writer.
struct Reader {
    files: Vec<Incoming>,
    text: TextOptions,
    schema: SchemaRef,
    source: String,
    loaded_at: Option<DateTime<Utc>>,
}

impl Reader {
    fn stream(self, progress: &(dyn Fn(u64) + Sync)) -> impl Stream<Item = Result<RecordBatch>> + Send {
        let (sender, receiver) = mpsc::channel(BATCHES_IN_FLIGHT);
        let task = tokio::task::spawn_blocking(move || {
            if let Err(error) = self.read_all(&sender) {
                // Nobody listens when the writer has failed first.
                let _ = sender.blocking_send(Err(error));
            }
        });
        stream::unfold((receiver, 0, Some(task)), move |(mut receiver, mut rows, task)| async move {
            match receiver.recv().await {
                Some(batch) => {
                    rows += batch.as_ref().map_or(0, |batch: &RecordBatch| batch.num_rows() as u64);
                    progress(rows);
                    Some((batch, (receiver, rows, task)))
                }
                // Without this, a reader that panicked would look like the end of the files.
                None => joined(task?.await.map(Ok)).err().map(|error| (Err(error), (receiver, rows, None))),
            }
        })
    }

    fn read_all(&self, sender: &mpsc::Sender<Result<RecordBatch>>) -> Result<()> {
        for (Incoming { path, label, inspection }, nth) in self.files.iter().zip(0..) {
            // Of two versions of a fact in two files the one in the later file is the newer.
            let loaded_at = self.loaded_at.map(|time| time + TimeDelta::microseconds(nth));
            let mut row = 0;
            read::read(path, &self.text, &inspection.names(), &mut |batch| {
                let count = batch.num_rows();
                let finished = self.finish(path, label, loaded_at, row, &batch)?;
                row += count;
                // A closed channel: the writer failed, and its error is the one to tell.
                let stopped = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
                let stop = |_| Error::Io { action: "load", path: path.clone(), source: stopped() };
                sender.blocking_send(Ok(finished)).map_err(stop)
            })?;
        }
        Ok(())
    }

    /// Gives a batch the table's types and the system columns. `row` is the number of the file's rows before it.
    fn finish(
        &self,
        path: &Path,
        label: &str,
        loaded_at: Option<DateTime<Utc>>,
        row: usize,
        batch: &RecordBatch,
    ) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let column = |field: &Arc<Field>| -> Result<ArrayRef> {
            Ok(match field.name().as_str() {
                "_source" => Arc::new(StringArray::from(vec![self.source.as_str(); rows])),
                "_file" => Arc::new(StringArray::from(vec![label; rows])),
                "_row" => Arc::new(Int64Array::from_iter_values((row + 1..).take(rows).map(|row| row as i64))),
                "_loaded_at" => {
                    let time = loaded_at.map(|time| time.timestamp_micros());
                    Arc::new(TimestampMicrosecondArray::from(vec![time; rows]).with_timezone("UTC"))
                }
                name => match batch.column_by_name(name) {
                    None => new_null_array(field.data_type(), rows),
                    Some(array) => conform(array, field.data_type()).map_err(|misfit| Error::WrongValue {
                        place: format!("{}, row {}", path.display(), row + misfit.row + 1),
                        column: name.into(),
                        value: misfit.value,
                        problem: format!("{}; nothing was loaded", misfit.problem),
                    })?,
                },
            })
        };
        let columns = self.schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(Error::from)
    }
}

fn no_rows(table: &str) -> Error {
    Error::Argument { what: "table", value: table.into(), valid: "it has no rows yet, and no file was given".into() }
}
