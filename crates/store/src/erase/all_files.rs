//! Defines [`AllFiles`]: every file that any version of a table has ever had, and how the log is rewritten so that all
//! versions have other files instead.
//!
//! The log is rewritten from the newest commit to the oldest, each by one put. A commit that took a file away then takes
//! away the new one too, before any commit adds that one: whenever this stops, each version is whole, made of old files or
//! new ones, and no row is there twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::datatypes::{Schema, SchemaRef};
use chrono::Utc;
use deltalake::protocol::checkpoints::create_checkpoint;
use deltalake::{DeltaTable, kernel::Add};
use futures::StreamExt;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::BUCKET;
use crate::append::CHECKPOINT_INTERVAL;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::log::{LOG_FOLDER, entry_file, entry_version, log_folder};
use crate::snapshot::ATTEMPTS;
use crate::store::Store;
use crate::table::table_folder;

/// All files of all versions of a table, those that a restore undid too.
#[derive(Debug, Clone)]
pub struct AllFiles {
    /// `<schema>.<table>`.
    pub table: String,
    /// The columns of the newest version.
    pub schema: SchemaRef,
    pub files: Vec<PastFile>,
}

/// A file of some versions of a table; vacuum may have taken it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastFile {
    /// Below the folder of the table.
    pub name: String,
    /// Of a clustered table.
    pub bucket: Option<i32>,
    /// Of the version that added it: a table that was made anew after a restore may have got another one.
    pub(super) layout: Layout,
    /// The version that added it, and the one that took it away; more than once if it came back.
    lives: Vec<(u64, Option<u64>)>,
}

/// A file and what takes its place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Swap {
    pub(super) old: String,
    /// None: no row is left.
    pub(super) new: Option<NewFile>,
}

/// What the log says of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NewFile {
    pub(super) name: String,
    size: i64,
    stats: Option<String>,
    tags: Option<HashMap<String, Option<String>>>,
}

impl PastFile {
    /// Whether a version of the table has it.
    pub fn is_in(&self, version: u64) -> bool {
        self.lives.iter().any(|&(from, until)| from <= version && until.is_none_or(|until| version < until))
    }
}

impl NewFile {
    pub(super) fn new(add: Add) -> Self {
        NewFile { name: add.path, size: add.size, stats: add.stats, tags: add.tags }
    }
}

impl Store {
    /// All files of a table; None if there is no such table.
    ///
    /// Errors: [`Error::Damaged`] if its log is not there from the first version on: what a checkpoint alone remembers can't
    /// be rewritten.
    pub async fn all_files(&self, table: &str) -> Result<Option<AllFiles>> {
        let versions = self.log_versions(table).await?;
        let Some(&newest) = versions.keys().next_back() else { return Ok(None) };
        if let Some(missing) = (0..newest).find(|version| !versions.contains_key(version)) {
            let path = self.root.show(&entry_file(table, missing)?);
            let reason = "it is missing, so not every version of the table can be rewritten".to_owned();
            return Err(Error::Damaged { path, reason });
        }
        let mut files: BTreeMap<String, PastFile> = BTreeMap::new();
        let mut layout = Layout::Plain;
        let mut entries = std::pin::pin!(self.log_entries(table, 0..=newest));
        while let Some(entry) = entries.next().await {
            let entry = entry?;
            if let Some(metadata) = &entry.metadata {
                let read = Layout::from_properties(metadata.configuration());
                layout = read.map_err(|reason| Error::Damaged { path: table.to_owned(), reason })?;
            }
            for remove in entry.removes {
                if let Some(life) = files.get_mut(&remove.path).and_then(|file| file.lives.last_mut()) {
                    life.1.get_or_insert(entry.version);
                }
            }
            for add in entry.adds {
                let known = files.entry(add.path.clone()).or_insert_with(|| PastFile::new(add, &layout));
                known.lives.push((entry.version, None));
            }
        }
        let schema = self.newest(table).await?.map_or_else(|| Schema::empty().into(), |newest| newest.schema);
        Ok(Some(AllFiles { table: table.to_owned(), schema, files: files.into_values().collect() }))
    }

    /// Commits a version without a change on top of the newest one: whoever was about to write that version is checked
    /// again.
    pub(super) async fn fence(&self, table: &str) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let Some(newest) = self.log_versions(table).await?.into_keys().next_back() else { return Ok(()) };
            let info = json!({ "commitInfo": {
                "timestamp": Utc::now().timestamp_millis(),
                "operation": "ERASE",
                "operationParameters": {},
                "userMetadata": "erase",
            }});
            match self.root.create(&entry_file(table, newest + 1)?, format!("{info}\n").into()).await {
                Err(Error::Exists { .. }) => continue,
                created => return created,
            }
        }
        Err(Error::Contended { what: format!("locking {table}"), attempts: ATTEMPTS })
    }

    /// Puts the new files in the place of the old ones, in every version of the table.
    pub(super) async fn rewrite_log(&self, table: &str, swaps: &[Swap]) -> Result<()> {
        let swaps: BTreeMap<&str, &Swap> = swaps.iter().map(|swap| (swap.old.as_str(), swap)).collect();
        for file in self.root.list(&log_folder(table)?).await? {
            if entry_version(file_name(&file)).is_none() {
                self.root.delete(&file).await?;
            }
        }
        for version in self.log_versions(table).await?.into_keys().rev() {
            let file = entry_file(table, version)?;
            let before = actions(&self.root.get(&file).await?)
                .map_err(|e| Error::Damaged { path: self.root.show(&file), reason: e.to_string() })?;
            let after = swapped(&before, &swaps);
            if after != before {
                let lines: String = after.iter().map(|action| format!("{action}\n")).collect();
                self.root.put(&file, lines.into()).await?;
            }
        }
        Ok(())
    }

    /// Deletes whatever lies in the folder of a table and is named by no version, as killed writers leave it. Where they
    /// never committed a table, only what looks like a file of ours.
    pub(super) async fn sweep(&self, table: &str) -> Result<()> {
        let folder = table_folder(table)?;
        let all_files = self.all_files(table).await?;
        let has_log = all_files.is_some();
        let files = all_files.into_iter().flat_map(|all| all.files);
        let known: BTreeSet<String> = files.map(|file| format!("{folder}/{}", file.name)).collect();
        for file in self.root.list(&folder).await? {
            let is_of_log = file.starts_with(&format!("{folder}/{LOG_FOLDER}/"));
            if !known.contains(&file) && !is_of_log && (has_log || is_ours(&file)) {
                self.root.delete(&file).await?;
            }
        }
        Ok(())
    }

    /// A checkpoint of the newest version, so that the table opens as fast as before.
    pub(super) async fn checkpoint(&self, name: &str) -> Result<()> {
        let mut table = DeltaTable::new(self.log(name)?);
        table.load().await.map_err(|e| Error::delta(name, e))?;
        match table.version().is_some_and(|version| version >= u64::from(CHECKPOINT_INTERVAL)) {
            true => create_checkpoint(&table, None).await.map_err(|e| Error::delta(name, e)),
            false => Ok(()),
        }
    }
}

impl PastFile {
    fn new(add: Add, layout: &Layout) -> Self {
        let bucket = add.partition_values.get(BUCKET).and_then(|bucket| bucket.as_deref()?.parse().ok());
        PastFile { name: add.path, bucket, layout: layout.clone(), lives: Vec::new() }
    }
}

/// The actions of a commit with the new files in place of the old ones; doing it twice changes nothing more.
fn swapped(actions: &[Value], swaps: &BTreeMap<&str, &Swap>) -> Vec<Value> {
    let taken_away: BTreeSet<String> =
        actions.iter().filter_map(|action| action["remove"]["path"].as_str().map(decoded)).collect();
    let swap = |action: &Value| -> Vec<Value> {
        let path = |kind: &str| action[kind]["path"].as_str().map(decoded);
        let swap = |kind: &str| swaps.get(path(kind)?.as_str()).copied();
        let with = |kind: &str, new: &NewFile| {
            let mut action = action.clone();
            action[kind]["path"] = json!(new.name);
            action[kind]["size"] = json!(new.size);
            action
        };
        if let Some(swap) = swap("add") {
            let added = swap.new.as_ref().map(|new| {
                let mut action = with("add", new);
                action["add"]["stats"] = json!(new.stats);
                action["add"]["tags"] = json!(new.tags);
                action
            });
            return added.into_iter().collect();
        }
        match swap("remove").and_then(|swap| swap.new.as_ref()) {
            Some(new) if !taken_away.contains(&new.name) => vec![with("remove", new), action.clone()],
            _ => vec![action.clone()],
        }
    };
    actions.iter().flat_map(swap).collect()
}

fn actions(bytes: &[u8]) -> Result<Vec<Value>, serde_json::Error> {
    serde_json::Deserializer::from_slice(bytes).into_iter().collect()
}

/// Paths in the log are URLs.
fn decoded(path: &str) -> String {
    Path::from_url_path(path).map_or_else(|_| path.to_owned(), |path| path.to_string())
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a file has a name as [`Store::append`] gives it.
pub(crate) fn is_ours(path: &str) -> bool {
    file_name(path).strip_suffix(".parquet").is_some_and(|stem| Uuid::parse_str(stem).is_ok())
}
