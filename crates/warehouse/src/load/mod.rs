//! Defines `load`: files become rows of a raw table, all of a call in one commit. A file is known by the hash of its
//! content, so that loading it again, under whatever name, adds nothing.

mod files;
mod reader;
mod rejects;
mod schema;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use store::{Append, Layout, Snapshot, Table};

use crate::Warehouse;
use crate::error::{Error, Result};
use crate::read::{self, Depth, TextOptions};
use files::Incoming;
use reader::{Reader, Seen};
pub use rejects::Reject;
pub(crate) use rejects::{REJECTS_TABLE, first_few};

/// Columns that every raw table has beside those of its files.
pub const SYSTEM_COLUMNS: [&str; 4] = ["_source", "_file", "_row", "_loaded_at"];

/// How files are to be read and marked.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// A first, historical load: what the files tell was known when it happened (`_loaded_at` is NULL).
    pub history: bool,
    /// When the first file came, each next one a microsecond later; now by default. A nightly run gives all its loads the
    /// same.
    pub loaded_at: Option<DateTime<Utc>>,
    /// Delimited text: the column names of files without a header.
    pub columns: Option<Vec<String>>,
    /// Delimited text: the character between fields, or `tab`; told from the first line by default.
    pub delimiter: Option<String>,
    /// Delimited text: the character around fields, or `none`; `"` by default.
    pub quote: Option<String>,
    /// Encoding of text, by its name on the web; UTF-8 by default. A byte order mark goes before it.
    pub encoding: Option<String>,
    /// SQL types of columns, in place of those that their values suggest.
    pub schema: BTreeMap<String, String>,
    /// Rows that may go to `quality.rejects` because they don't parse or don't fit; with more nothing is loaded.
    pub max_rejects: u64,
    /// Reads and checks everything, and changes nothing.
    pub dry_run: bool,
    /// Settings of the object stores that files are read from.
    pub environment: Vec<(String, String)>,
}

impl LoadOptions {
    fn text(&self) -> Result<TextOptions> {
        let LoadOptions { columns, delimiter, quote, encoding, .. } = self;
        TextOptions::new(columns.clone(), delimiter.as_deref(), quote.as_deref(), encoding.as_deref())
    }
}

/// What a load did.
#[derive(Debug, Clone)]
pub struct LoadReport {
    /// The raw table.
    pub table: String,
    /// Files loaded, in order.
    pub files: Vec<String>,
    /// Rows added.
    pub rows: u64,
    /// Rows that went to `quality.rejects`.
    pub rejects: Vec<Reject>,
    /// Files whose content is in the table already.
    pub skipped: Vec<String>,
    /// The table's columns and what the files hold of them.
    pub columns: Vec<LoadedColumn>,
    /// The files' types of those columns whose values have another form in the table, by name.
    pub file_types: BTreeMap<String, String>,
    /// Whether the table got columns, and with them their types, from these files.
    pub is_new_schema: bool,
    /// The newest snapshot; a new one unless every file was skipped.
    pub snapshot: Snapshot,
}

/// A column of a raw table in the files of one load.
#[derive(Debug, Clone)]
pub struct LoadedColumn {
    /// Its name.
    pub name: String,
    /// Its SQL type.
    pub data_type: String,
    /// Its first value; `None` where all are NULL.
    pub example: Option<String>,
    /// Rows without a value.
    pub nulls: u64,
}

/// The columns that a first load of these files would pin, without one.
///
/// # Errors
/// As [`Warehouse::load`], but for rows that are not looked at.
pub async fn infer(patterns: &[String], options: &LoadOptions) -> Result<SchemaRef> {
    let (nothing, table) = (Arc::new(Schema::empty()), "the table");
    let found = read::find(patterns, &options.environment).await?;
    let inspected = files::inspect_all(found.files, options.text()?, Arc::clone(&nothing), Depth::Whole).await?;
    let (incoming, _) = files::new_files(table, None, inspected, options).await?;
    schema::target_schema(table, &nothing, &incoming, &schema::wanted_types(&options.schema)?)
}

impl Warehouse {
    /// Loads the files that `patterns` (paths, folders, globs or URLs of either) name into `table` (`raw.<source>_<thing>`), which the
    /// first load creates. `progress` is told the number of rows so far.
    ///
    /// Types are taken from the whole content of the first load's files; later files must fit them, have one of the table's
    /// columns at least, and may bring new ones.
    ///
    /// # Errors
    /// [`Error::NoFile`], [`Error::File`], [`Error::Rejected`], [`Error::Argument`]: nothing is loaded then.
    pub async fn load(
        &self,
        table: &str,
        patterns: &[String],
        options: &LoadOptions,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<LoadReport> {
        check_name(table)?;
        let text = options.text()?;
        let wanted = schema::wanted_types(&options.schema)?;
        let latest = self.store().latest(table).await?;
        let now = options.loaded_at.unwrap_or_else(Utc::now);
        let pinned = latest.as_ref().map_or_else(|| Arc::new(Schema::empty()), |table| Arc::clone(&table.schema));
        let found = read::find(patterns, &options.environment).await?;
        let mut depth = Depth::Sample;
        loop {
            let inspected = files::inspect_all(found.files.clone(), text.clone(), Arc::clone(&pinned), depth).await?;
            let (incoming, skipped) = files::new_files(table, latest.as_ref(), inspected, options).await?;
            let target = schema::target_schema(table, &pinned, &incoming, &wanted)?;
            let is_new_schema = target.fields().len() > pinned.fields().len();
            let seen = Seen::new(&target, options.max_rejects);
            let reader = Reader {
                table: table.to_string(),
                text: text.clone(),
                schema: target,
                source: self.catalog().source_of(table.trim_start_matches("raw.")),
                loaded_at: (!options.history).then_some(now),
                is_untold: schema::is_untold(&pinned, &incoming, &wanted),
                sampled: schema::sampled_types(&pinned, &incoming, &wanted)?,
                seen: seen.clone(),
                files: incoming,
            };
            match self.load_rows(reader, latest.as_ref(), options, now, progress).await {
                // A value is of another type than those of the first rows: all must be looked at, and nothing was loaded.
                Err(_) if depth == Depth::Sample && seen.get().is_surprised => depth = Depth::Whole,
                loaded => return Ok(LoadReport { skipped, is_new_schema, ..loaded? }),
            }
        }
    }

    async fn load_rows(
        &self,
        reader: Reader,
        latest: Option<&Table>,
        options: &LoadOptions,
        now: DateTime<Utc>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<LoadReport> {
        let rows = AtomicU64::new(0);
        let counted = |count| {
            rows.store(count, Ordering::Relaxed);
            progress(count);
        };
        let (table, incoming, seen) = (reader.table.clone(), reader.files.clone(), reader.seen.clone());
        let snapshot = match latest {
            _ if options.dry_run => {
                reader.stream(&counted).try_for_each(|_| async { Ok(()) }).await?;
                self.store().snapshot().await?
            }
            // A load killed before its snapshot has left its commit: the snapshot is all that is missing.
            Some(latest) if incoming.is_empty() => self.commit_load(&table, latest.version, None).await?,
            latest => {
                let transactions = files::transactions(&table, latest, &incoming, options).await?;
                let operation = format!("load {table}: {} files", incoming.len());
                let append = Append { operation, schema: Arc::clone(&reader.schema), transactions, epoch: None };
                let rejects_version = OnceLock::new();
                let rejects = self.rejected(&table, &incoming, &seen, now, &rejects_version);
                let batches = reader.stream(&counted).chain(rejects);
                let loaded = self.store().append(&table, &Layout::FileOrder, append, batches).await?;
                self.commit_load(&table, loaded.version, rejects_version.into_inner()).await?
            }
        };
        let mut seen = seen.get();
        Ok(LoadReport {
            files: incoming.iter().map(|incoming| incoming.file.shown.clone()).collect(),
            rows: rows.into_inner(),
            rejects: std::mem::take(&mut seen.rejects.all),
            skipped: Vec::new(),
            columns: std::mem::take(&mut seen.columns),
            file_types: schema::file_types(&incoming),
            is_new_schema: false,
            snapshot,
            table,
        })
    }

    /// Appends what the reader rejected; comes after its last batch and yields nothing but an error.
    fn rejected<'a>(
        &'a self,
        table: &'a str,
        incoming: &'a [Incoming],
        seen: &'a Seen,
        loaded_at: DateTime<Utc>,
        version: &'a OnceLock<u64>,
    ) -> impl Stream<Item = Result<RecordBatch>> + Send + 'a {
        let append = async move {
            let rejects = seen.get().rejects.all.clone();
            match self.append_rejects(table, incoming, &rejects, loaded_at).await {
                Ok(Some(appended)) => version.set(appended).err().and(None),
                Ok(None) => None,
                Err(error) => Some(Err(error)),
            }
        };
        stream::once(append).filter_map(|error| async move { error })
    }

    async fn commit_load(&self, table: &str, version: u64, rejects_version: Option<u64>) -> Result<Snapshot> {
        let mut tables = BTreeMap::from([(table.to_string(), version)]);
        tables.extend(rejects_version.map(|version| (rejects::REJECTS_TABLE.to_string(), version)));
        Ok(self.store().commit_snapshot(&format!("load {table}"), tables).await?)
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
