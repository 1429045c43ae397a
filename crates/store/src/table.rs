//! Defines [`Table`]: one version of a Delta table, and the files that it is made of.
//!
//! What a reader needs of a file is in the log: its bucket, its number of rows, whether it is sorted, and the ranges of
//! the two clocks. A scan opens no file to plan, and the log names no customer.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use chrono::{DateTime, SecondsFormat};
use deltalake::DeltaTable;
use deltalake::kernel::engine::arrow_conversion::TryIntoArrow;
use deltalake::kernel::{Add, LogicalFileView};
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use deltalake::table::state::DeltaTableState;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::restore::{EPOCH, UNDONE};
use crate::store::Store;
use crate::writer::EncodedFile;
use crate::{BUCKET, EVENT_TIME, KNOWN_TIME};

/// The tag of an `Add` action whose file is sorted by [`Layout::sort_columns`].
const SORTED_TAG: &str = "perennial.sorted";
/// The tag of an `Add` action that holds xxh3_64 of the file's bytes, in hexadecimal: Parquet pages have no checksum.
const CHECKSUM_TAG: &str = "perennial.xxh3";

/// The property of a table that a restore went behind the first version of.
pub(crate) const VOID_PROPERTY: &str = "perennial.void";

/// One version of a table.
#[derive(Clone)]
pub struct Table {
    /// `<schema>.<table>`, as in SQL.
    pub name: String,
    /// The Delta version.
    pub version: u64,
    /// The columns, without the bucket; a file may lack columns that were added later.
    pub schema: SchemaRef,
    pub layout: Layout,
    /// By bucket, then in the order in which they were written.
    pub files: Vec<DataFile>,
    /// A restore went back to before it was made: it is there only as a place in the log.
    pub(crate) is_void: bool,
    pub(crate) state: DeltaTableState,
    pub(crate) log: LogStoreRef,
}

/// One Parquet file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Where it lies in [`Store::object_store`].
    pub path: Path,
    /// In bytes.
    pub size: u64,
    pub rows: u64,
    /// Of a clustered table: which bucket all its rows are in.
    pub bucket: Option<i32>,
    /// Whether its rows are sorted by [`Layout::sort_columns`].
    pub sorted: bool,
    /// None if unknown, or if every value is NULL.
    pub event_time: Option<TimeRange>,
    /// None if unknown, or if every value is NULL.
    pub known_time: Option<TimeRange>,
    /// Rows without a value, of the columns that the log counts.
    pub null_counts: BTreeMap<String, u64>,
    /// xxh3_64 of the file's bytes; None for files of other programs.
    pub checksum: Option<u64>,
}

/// The least and the greatest time, both included, in microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    pub min: i64,
    pub max: i64,
}

impl Store {
    /// `name` at a Delta version, as a snapshot names it; [`Error::NoTable`] if there is none.
    pub async fn table(&self, name: &str, version: u64) -> Result<Table> {
        match self.load(name, Some(version)).await {
            Ok(Some(table)) => Ok(table),
            Ok(None) => Err(Error::NoTable { table: name.to_owned(), version, newest: None }),
            Err(error) => match self.load(name, None).await? {
                Some(table) if table.version >= version => Err(error),
                newest => Err(Error::NoTable { table: name.to_owned(), version, newest: newest.map(|t| t.version) }),
            },
        }
    }

    /// The newest Delta version of `name`, whether or not a snapshot names it; None if there is no such table.
    /// After a restore it is the version that the restored snapshot names, until somebody writes the table.
    pub async fn latest(&self, name: &str) -> Result<Option<Table>> {
        let Some(newest) = self.newest(name).await? else { return Ok(None) };
        let snapshot = self.snapshot().await?;
        let named = snapshot.tables.get(name).copied();
        if snapshot.epoch == 0 || named == Some(newest.version) || newest.epoch().await? >= snapshot.epoch {
            return Ok(Some(newest).filter(|table| !table.is_void));
        }
        match named {
            Some(version) => self.table(name, version).await.map(Some),
            None => Ok(None),
        }
    }

    /// The newest Delta version, also if it was undone.
    pub(crate) async fn newest(&self, name: &str) -> Result<Option<Table>> {
        self.load(name, None).await
    }

    async fn load(&self, name: &str, version: Option<u64>) -> Result<Option<Table>> {
        let mut is_new_table = false;
        loop {
            let mut table = DeltaTable::new(self.log(name)?);
            let loaded = match version {
                Some(version) => table.load_version(version).await,
                None => table.load().await,
            };
            match (loaded, table.state.take()) {
                (Ok(()), Some(state)) => return self.describe(name, state, table.log_store()).map(Some),
                (Ok(()), None) => return Ok(None),
                // Which error says that there is no table depends on the storage; whether there is one does not.
                (Err(error), _) => match table.verify_deltatable_existence().await {
                    Ok(false) => return Ok(None),
                    // Perhaps it was made between the two looks at it.
                    Ok(true) if !is_new_table => is_new_table = true,
                    _ => return Err(Error::delta(name, error)),
                },
            }
        }
    }

    pub(crate) fn log(&self, name: &str) -> Result<LogStoreRef> {
        let folder = table_folder(name)?;
        let mut url = self.root.url.clone();
        url.set_path(&format!("{}{folder}/", url.path()));
        let prefixed = Arc::new(PrefixStore::new(self.object_store(), self.path(&folder)?));
        Ok(default_logstore(prefixed, self.object_store(), &url, &StorageConfig::default()))
    }

    pub(crate) fn describe(&self, name: &str, state: DeltaTableState, log: LogStoreRef) -> Result<Table> {
        let damaged = |reason: String| Error::Damaged { path: name.to_owned(), reason };
        let layout = Layout::from_properties(state.metadata().configuration()).map_err(&damaged)?;
        let all: Schema = state.schema().as_ref().try_into_arrow().map_err(|e| damaged(e.to_string()))?;
        let columns = all.fields().iter().filter(|field| !layout.is_clustered() || field.name() != BUCKET);
        let schema = Arc::new(Schema::new(columns.cloned().collect::<Vec<_>>()));
        let folder = self.path(&table_folder(name)?)?;
        let files = state.log_data().into_iter().map(|file| data_file(&folder, &layout, &file));
        let mut files = files.collect::<Result<Vec<_>, _>>().map_err(&damaged)?;
        files.sort_by(|a, b| (a.bucket, &a.path).cmp(&(b.bucket, &b.path)));
        let is_void = state.metadata().configuration().contains_key(VOID_PROPERTY);
        Ok(Table { name: name.to_owned(), version: state.version(), schema, layout, files, is_void, state, log })
    }
}

impl Table {
    /// The version that the newest append with this transaction gave it; None if no append named it.
    pub async fn transaction(&self, app_id: &str) -> Result<Option<i64>> {
        let version = self.state.transaction_version(self.log.as_ref(), app_id).await;
        Ok(version.map_err(|e| Error::delta(&self.name, e))?.filter(|version| *version != UNDONE))
    }

    /// The snapshot that was the last restored one when this version was made; 0 before the first.
    pub(crate) async fn epoch(&self) -> Result<u64> {
        Ok(self.transaction(EPOCH).await?.unwrap_or(0) as u64)
    }

    /// The actions that add its files, by the path of the file in the object store.
    pub(crate) fn adds(&self) -> Vec<(Path, Add)> {
        let by_name: BTreeMap<&str, &Path> =
            self.files.iter().filter_map(|file| Some((file.path.filename()?, &file.path))).collect();
        let add = |file: LogicalFileView| {
            let path = *by_name.get(file.object_store_path().filename()?)?;
            Some((path.clone(), add_of(&file)))
        };
        self.state.log_data().into_iter().filter_map(add).collect()
    }

    /// The files that this version has and `older` has not.
    pub fn files_since(&self, older: &Table) -> Vec<DataFile> {
        let known: HashSet<&Path> = older.files.iter().map(|file| &file.path).collect();
        self.files.iter().filter(|file| !known.contains(&file.path)).cloned().collect()
    }

    /// The number of rows.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("layout", &self.layout)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// Where the table `<schema>.<table>` lies in the warehouse.
pub(crate) fn table_folder(name: &str) -> Result<String> {
    let valid = "<schema>.<table>, each of a-z, 0-9 and _";
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    match name.split_once('.') {
        // A name with '_' in front is ours: _snapshots, _delta_log.
        Some((schema, table)) if is_word(schema) && is_word(table) && !name.starts_with('_') => {
            Ok(format!("{schema}/{table}"))
        }
        _ => Err(Error::Name { name: name.to_owned(), valid }),
    }
}

/// The `Add` action of a file, as [`data_file`] reads it back. `path` is relative to the table.
pub(crate) fn add_action(path: &str, bucket: Option<i32>, file: &EncodedFile, modified_at: i64) -> Add {
    let partition = bucket.map(|bucket| (BUCKET.to_owned(), Some(bucket.to_string())));
    let checksum = format!("{:016x}", xxh3_64(&file.bytes));
    let sorted = bucket.map(|_| (SORTED_TAG.to_owned(), Some("true".to_owned())));
    let tags = sorted.into_iter().chain([(CHECKSUM_TAG.to_owned(), Some(checksum))]);
    Add {
        path: path.to_owned(),
        partition_values: partition.into_iter().collect(),
        size: file.bytes.len() as i64,
        modification_time: modified_at,
        data_change: true,
        stats: Some(statistics(file)),
        tags: Some(tags.collect()),
        ..Add::default()
    }
}

/// The statistics of a file in Delta's JSON: times to the microsecond, so that ranges read back are exact.
fn statistics(file: &EncodedFile) -> String {
    let ranges = [(EVENT_TIME, file.event_time), (KNOWN_TIME, file.known_time)];
    let bound = |pick: fn(&TimeRange) -> i64| -> BTreeMap<&str, String> {
        let time = |range: &TimeRange| DateTime::from_timestamp_micros(pick(range));
        let text = |time: DateTime<_>| time.to_rfc3339_opts(SecondsFormat::Micros, true);
        ranges.iter().filter_map(|(name, range)| Some((*name, text(time(range.as_ref()?)?)))).collect()
    };
    let null_counts: BTreeMap<_, _> = file.nulls.iter().map(|nulls| (&nulls.name, nulls.rows)).collect();
    serde_json::json!({
        "numRecords": file.rows,
        "minValues": bound(|range| range.min),
        "maxValues": bound(|range| range.max),
        "nullCount": null_counts,
    })
    .to_string()
}

/// The only way to the tags of a file.
#[allow(deprecated)]
fn add_of(file: &LogicalFileView) -> Add {
    file.add_action()
}

/// Reads one file of the log; the error says what is wrong with it.
fn data_file(folder: &Path, layout: &Layout, file: &LogicalFileView) -> Result<DataFile, String> {
    let add = add_of(file);
    let path = file.object_store_path();
    let no = |what: &str| format!("the log has no {what} for {path}");
    if add.deletion_vector.is_some() {
        return Err(format!("{path} has a deletion vector, which is not supported"));
    }
    let stats: Value = add.stats.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let bucket = match layout.is_clustered() {
        false => None,
        true => {
            let value = add.partition_values.get(BUCKET).and_then(|value| value.as_deref());
            Some(value.and_then(|value| value.parse().ok()).ok_or_else(|| no("bucket"))?)
        }
    };
    let tag = |name: &str| add.tags.as_ref().and_then(|tags| tags.get(name)?.as_deref());
    let null_counts = stats["nullCount"].as_object().into_iter().flatten();
    Ok(DataFile {
        path: folder.parts().chain(path.parts()).collect(),
        size: u64::try_from(add.size).map_err(|_| no("size"))?,
        rows: stats["numRecords"].as_u64().ok_or_else(|| no("number of rows"))?,
        bucket,
        sorted: tag(SORTED_TAG) == Some("true"),
        event_time: time_range(&stats, EVENT_TIME),
        known_time: time_range(&stats, KNOWN_TIME),
        null_counts: null_counts.filter_map(|(name, count)| Some((name.clone(), count.as_u64()?))).collect(),
        checksum: tag(CHECKSUM_TAG).and_then(|text| u64::from_str_radix(text, 16).ok()),
    })
}

fn time_range(stats: &Value, column: &str) -> Option<TimeRange> {
    let time = |bound: &str| {
        let text = stats[bound][column].as_str()?;
        Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros())
    };
    Some(TimeRange { min: time("minValues")?, max: time("maxValues")? })
}
