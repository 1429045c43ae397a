//! Defines what is verified of a warehouse: the chain of its snapshots, the log of every table, and every file that a
//! snapshot or unfinished work needs. Nothing is changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::{StreamExt, stream};
use object_store::ObjectMeta;
use object_store::path::Path;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::examine::examine;
use crate::layout::Layout;
use crate::log::LOG_FOLDER;
use crate::restore::KEPT_SCHEMA;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::table::{DataFile, Table, table_folder};

/// Files that are in memory at once, whole as they are stored; a file has at most some hundred megabytes.
pub(crate) const FILES_AT_ONCE: usize = 4;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// A table, or what else was looked at.
    pub place: String,
    /// The file, as messages name it; None if it is about no single file.
    pub file: Option<String>,
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// A table that was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExaminedTable {
    pub table: String,
    /// Versions that snapshots name.
    pub versions: usize,
    /// Files that were read to their end.
    pub files: u64,
    /// Their rows, by the log.
    pub rows: u64,
    /// Files that neither a snapshot nor unfinished work needs: vacuum takes them.
    pub unneeded_files: u64,
    /// Their size.
    pub unneeded_bytes: u64,
}

/// A file, and what the table is at a version that has it.
struct Needed {
    file: DataFile,
    schema: SchemaRef,
    layout: Layout,
}

/// What a table is at the versions that somebody needs.
#[derive(Default)]
struct Versions {
    /// The newest one.
    current: Option<Table>,
    needed: BTreeMap<Path, Needed>,
    files_of: HashMap<u64, BTreeSet<Path>>,
}

impl Versions {
    fn add(&mut self, table: Table) {
        self.files_of.insert(table.version, table.files.iter().map(|file| file.path.clone()).collect());
        for file in &table.files {
            let (schema, layout) = (table.schema.clone(), table.layout.clone());
            self.needed.entry(file.path.clone()).or_insert(Needed { file: file.clone(), schema, layout });
        }
        self.current.get_or_insert(table);
    }
}

impl Store {
    /// Every snapshot that can be read, oldest first, and what is wrong with the chain of them.
    ///
    /// Errors: those of the storage.
    pub async fn examine_snapshots(&self) -> Result<(Vec<Snapshot>, Vec<Finding>)> {
        let finding = |id: u64, problem: String| Finding {
            place: "snapshots".to_owned(),
            file: Some(self.root.show(&Snapshot::file(id))),
            problem,
            remedy: "put the file back from a copy of the warehouse; the other snapshots can be read".to_owned(),
        };
        let ids = self.snapshot_ids().await?;
        let (Some(first), Some(last)) = (ids.first().copied(), ids.last().copied()) else {
            return Ok(Default::default());
        };
        let (mut snapshots, mut findings): (Vec<Snapshot>, _) = (Vec::new(), Vec::new());
        for id in first..=last {
            match self.snapshot_at(id).await {
                Ok(snapshot) if snapshot.id != id => {
                    findings.push(finding(id, format!("it says that it is snapshot {}", snapshot.id)))
                }
                Ok(snapshot) => snapshots.push(snapshot),
                Err(Error::NoSnapshot { .. }) => findings.push(finding(id, "it is not there".to_owned())),
                Err(Error::Damaged { reason, .. }) => findings.push(finding(id, format!("it is damaged: {reason}"))),
                Err(error) => return Err(error),
            }
        }
        for pair in snapshots.windows(2) {
            if let Some(table) = went_back(&pair[0], &pair[1]) {
                let problem = format!("it has less of {table} than the snapshot before it, and is no restore");
                findings.push(finding(pair[1].id, problem));
            }
        }
        Ok((snapshots, findings))
    }

    /// Verifies one table at every version that `snapshots` name, and at its newest one. `seen` is told the number of
    /// files read so far.
    ///
    /// Errors: those of the storage; what is wrong with the table is a finding.
    pub async fn examine_table(
        &self,
        name: &str,
        snapshots: &[Snapshot],
        seen: &(dyn Fn(u64) + Sync),
    ) -> Result<(ExaminedTable, Vec<Finding>)> {
        let mut findings = self.examine_log(name).await?;
        let named: BTreeSet<u64> = snapshots.iter().filter_map(|snapshot| snapshot.tables.get(name).copied()).collect();
        let Versions { current, needed, files_of } = self.examine_versions(name, &named, &mut findings).await?;
        let listed = self.data_files(name).await?;
        let whole = Whole { name, snapshots, files_of };
        let (done, listed) = (&AtomicU64::new(0), &listed);
        let examined = needed.values().map(|needed| async move {
            let problems = self.examine_file(needed, listed).await;
            seen(done.fetch_add(1, Ordering::Relaxed) + 1);
            problems.map(|problems| (&needed.file.path, problems))
        });
        let mut examined = stream::iter(examined.collect::<Vec<_>>()).buffer_unordered(FILES_AT_ONCE);
        while let Some(examined) = examined.next().await {
            let (path, problems) = examined?;
            findings.extend(problems.into_iter().map(|problem| self.finding(name, path, problem, &whole)));
        }
        let twice = current.iter().flat_map(loaded_twice);
        findings.extend(twice.map(|(path, problem)| self.finding(name, &path, problem, &whole)));
        findings.sort_unstable();
        let unneeded = listed.values().filter(|object| !needed.contains_key(&object.location));
        let table = ExaminedTable {
            table: name.to_owned(),
            versions: named.len(),
            files: needed.len() as u64,
            rows: needed.values().map(|needed| needed.file.rows).sum(),
            unneeded_files: unneeded.clone().count() as u64,
            unneeded_bytes: unneeded.map(|object| object.size).sum(),
        };
        Ok((table, findings))
    }

    /// Reads the newest version, which the next append goes on top of, named or not, and those that are named, the newest
    /// first.
    async fn examine_versions(
        &self,
        name: &str,
        named: &BTreeSet<u64>,
        findings: &mut Vec<Finding>,
    ) -> Result<Versions> {
        let mut versions = Versions::default();
        for version in std::iter::once(None).chain(named.iter().rev().copied().map(Some)) {
            let table = match version {
                None => self.latest(name).await,
                Some(version) => self.table(name, version).await.map(Some),
            };
            match table {
                Ok(Some(table)) => {
                    if versions.current.is_none() {
                        findings.extend(self.examine_properties(&table));
                    }
                    versions.add(table);
                }
                Ok(None) => {}
                Err(
                    error @ (Error::NoBucket { .. }
                    | Error::Credentials { .. }
                    | Error::Denied { .. }
                    | Error::Storage { .. }),
                ) => return Err(error),
                Err(error) => findings.push(Finding {
                    place: name.to_owned(),
                    file: None,
                    problem: match version {
                        None => format!("its newest version cannot be read: {}", chain(&error)),
                        Some(version) => format!("version {version} cannot be read: {}", chain(&error)),
                    },
                    remedy: format!("put the files of its {LOG_FOLDER} back from a copy of the warehouse"),
                }),
            }
        }
        Ok(versions)
    }

    /// Every table that has a log or is named by one of the snapshots, in order of name.
    pub async fn all_tables(&self, snapshots: &[Snapshot]) -> Result<Vec<String>> {
        let mut names: BTreeSet<String> = self.table_names().await?.into_iter().collect();
        names.extend(snapshots.iter().flat_map(|snapshot| snapshot.tables.keys().cloned()));
        Ok(names.into_iter().collect())
    }

    /// The objects of a table's folder that are not its log's, by path.
    pub(crate) async fn data_files(&self, name: &str) -> Result<BTreeMap<Path, ObjectMeta>> {
        let folder = table_folder(name)?;
        let log = self.path(&format!("{folder}/{LOG_FOLDER}"))?;
        let objects = self.root.list_objects(&folder).await?.into_iter();
        let objects = objects.filter(|object| !object.location.prefix_matches(&log));
        Ok(objects.map(|object| (object.location.clone(), object)).collect())
    }

    /// Whether every entry of the log is there and can be read, from the first one or from a checkpoint on.
    async fn examine_log(&self, name: &str) -> Result<Vec<Finding>> {
        let folder = format!("{}/{LOG_FOLDER}", table_folder(name)?);
        let finding = |version: u64, problem: String| Finding {
            place: name.to_owned(),
            file: Some(self.root.show(&format!("{folder}/{version:020}.json"))),
            problem,
            remedy: "put the file back from a copy of the warehouse".to_owned(),
        };
        let versions = self.log_versions(name).await?;
        let (Some((&first, _)), Some((&last, _))) = (versions.first_key_value(), versions.last_key_value()) else {
            return Ok(vec![finding(0, "the table has no log".to_owned())]);
        };
        let mut findings = Vec::new();
        let objects = self.root.list(&folder).await?;
        let checkpoint = |file: &String| file.rsplit('/').next()?.split_once(".checkpoint")?.0.parse::<u64>().ok();
        let begins = objects.iter().filter_map(checkpoint).filter(|&checkpoint| checkpoint + 1 >= first).min();
        if first > 0 && begins.is_none() {
            findings.push(finding(first - 1, "it is not there, and no checkpoint stands for it".to_owned()));
        }
        let missing = (first..last).filter(|version| !versions.contains_key(version));
        findings.extend(missing.map(|version| finding(version, "it is not there".to_owned())));
        let mut entries = std::pin::pin!(self.log_entries(name, versions.keys().copied()));
        while let Some(entry) = entries.next().await {
            match entry {
                Ok(_) => {}
                Err(Error::Damaged { path, reason }) => {
                    findings.push(Finding { file: Some(path), ..finding(0, format!("it is damaged: {reason}")) })
                }
                Err(error) => return Err(error),
            }
        }
        Ok(findings)
    }

    fn examine_properties(&self, table: &Table) -> Option<Finding> {
        let problem = match &table.layout {
            Layout::Clustered { buckets, .. } if *buckets != self.buckets() => {
                format!("its rows are in {buckets} buckets, and the warehouse has {}", self.buckets())
            }
            _ => Layout::missing_property(table.state.metadata().configuration())?,
        };
        let remedy = "put the table's folder back from a copy of the warehouse".to_owned();
        Some(Finding { place: table.name.clone(), file: None, problem, remedy })
    }

    async fn examine_file(&self, needed: &Needed, listed: &BTreeMap<Path, ObjectMeta>) -> Result<Vec<String>> {
        let Needed { file, schema, layout } = needed;
        let gone = || vec!["it is not there".to_owned()];
        if !listed.contains_key(&file.path) {
            return Ok(gone());
        }
        let bytes: Bytes = match self.root.get(&self.root.relative(&file.path).unwrap_or_default()).await {
            Ok(bytes) => bytes,
            Err(Error::Missing { .. }) => return Ok(gone()),
            Err(error) => return Err(error),
        };
        let (file, schema, layout) = (file.clone(), schema.clone(), layout.clone());
        let examined = tokio::task::spawn_blocking(move || examine(&file, bytes, &schema, &layout)).await;
        // A decoder may give up on bytes that nobody ever wrote by a panic.
        Ok(examined.unwrap_or_else(|panic| vec![format!("it cannot be read: {panic}")]))
    }

    fn finding(&self, place: &str, path: &Path, problem: String, whole: &Whole) -> Finding {
        let file = self.root.relative(path).map(|path| self.root.show(&path));
        Finding { place: place.to_owned(), file, problem, remedy: whole.remedy(path) }
    }
}

/// Which files which version of a table has.
struct Whole<'a> {
    name: &'a str,
    snapshots: &'a [Snapshot],
    files_of: HashMap<u64, BTreeSet<Path>>,
}

impl Whole<'_> {
    /// What to do about a damaged file.
    fn remedy(&self, path: &Path) -> String {
        let does_without = |snapshot: &&Snapshot| match snapshot.tables.get(self.name) {
            Some(version) => self.files_of.get(version).is_some_and(|files| !files.contains(path)),
            None => true,
        };
        let newest = self.snapshots.last().is_some_and(|newest| does_without(&newest));
        match self.snapshots.iter().rev().find(does_without) {
            Some(_) if newest => {
                "only older snapshots need it; put it back from a copy of the warehouse, or vacuum them".to_owned()
            }
            _ if self.name.starts_with(KEPT_SCHEMA) => "put it back from a copy of the warehouse".to_owned(),
            Some(&Snapshot { id, .. }) => format!(
                "put it back from a copy of the warehouse; or go back to snapshot {id}, which does without it \
                 (perennial restore {id}), and do again what came after it: {}",
                self.done_after(id)
            ),
            None => "put it back from a copy of the warehouse; or load and build everything in a new one".to_owned(),
        }
    }

    /// What was done since a snapshot, each kind once.
    fn done_after(&self, id: u64) -> String {
        let mut done: Vec<&str> = Vec::new();
        for snapshot in self.snapshots.iter().filter(|snapshot| snapshot.id > id && snapshot.epoch != snapshot.id) {
            if !done.contains(&snapshot.operation.as_str()) {
                done.push(&snapshot.operation);
            }
        }
        done.join(", ")
    }
}

/// A table that is older, or not there, in the later one of two snapshots without a restore between them.
fn went_back<'a>(before: &'a Snapshot, after: &Snapshot) -> Option<&'a String> {
    let is_older = |(name, version): &(&String, &u64)| after.tables.get(*name).is_none_or(|later| later < *version);
    before.tables.iter().filter(|_| before.epoch == after.epoch).find(is_older).map(|(name, _)| name)
}

/// Files of a raw table with the same bytes: its rows name file and line, so that no two files can be equal.
fn loaded_twice(table: &Table) -> Vec<(Path, String)> {
    let mut known: HashMap<u64, &Path> = HashMap::new();
    let mut found = Vec::new();
    for file in table.files.iter().filter(|_| table.layout == Layout::FileOrder) {
        if let Some(first) = file.checksum.and_then(|checksum| known.insert(checksum, &file.path)) {
            let problem = format!("it has the same rows as {}", first.filename().unwrap_or_default());
            found.push((file.path.clone(), problem));
        }
    }
    found
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        if !text.contains(&cause.to_string()) {
            text = format!("{text}: {cause}");
        }
        source = cause.source();
    }
    text
}
