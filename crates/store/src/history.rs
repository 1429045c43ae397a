//! Defines what happened to a warehouse: its snapshots, and the versions of a table.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::error::Result;
use crate::log::LogEntry;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::table::table_folder;

/// A snapshot, beside the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotChange {
    pub snapshot: u64,
    pub committed_at: DateTime<Utc>,
    /// What made it.
    pub operation: String,
    /// Tables at another version than before, in order of name.
    pub tables: Vec<TableChange>,
}

/// A table in a snapshot, beside the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableChange {
    pub table: String,
    /// None if it is no longer there.
    pub version: Option<u64>,
    /// Negative if it lost rows; None if the snapshot before was vacuumed.
    pub rows_added: Option<i64>,
}

/// A Delta version of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableVersion {
    pub version: u64,
    /// None if its log entry does not say.
    pub committed_at: Option<DateTime<Utc>>,
    pub operation: String,
    pub files_added: u64,
    pub files_removed: u64,
    pub rows_added: u64,
    pub rows_removed: u64,
    /// The snapshots that name it.
    pub snapshots: Vec<u64>,
}

impl Store {
    /// The newest `limit` snapshots, newest first.
    pub async fn history(&self, limit: usize) -> Result<Vec<SnapshotChange>> {
        let ids = self.snapshot_ids().await?;
        let mut changes = Vec::new();
        let mut rows = Rows { store: self, known: HashMap::new() };
        let mut next = match ids.last() {
            Some(&id) => Some(self.snapshot_at(id).await?),
            None => None,
        };
        for (place, _) in ids.iter().enumerate().rev().take(limit) {
            let Some(snapshot) = next else { break };
            let is_first_ever = snapshot.id == 1;
            next = match place.checked_sub(1) {
                Some(before) => Some(self.snapshot_at(ids[before]).await?),
                None => None,
            };
            changes.push(rows.change(snapshot, next.as_ref(), is_first_ever).await?);
        }
        Ok(changes)
    }

    /// The newest `limit` versions of a table, newest first; empty if it has no log.
    pub async fn table_history(&self, name: &str, limit: usize) -> Result<Vec<TableVersion>> {
        let mut named: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for snapshot in self.snapshots().await? {
            if let Some(version) = snapshot.tables.get(name) {
                named.entry(*version).or_default().push(snapshot.id);
            }
        }
        let mut versions = Vec::new();
        for version in self.log_versions(name).await?.into_keys().rev().take(limit) {
            let entry = self.log_entry(name, version).await?;
            let rows_removed = self.rows_removed(name, &entry).await?;
            versions.push(TableVersion {
                version,
                committed_at: entry.committed_at,
                files_added: entry.adds.len() as u64,
                files_removed: entry.removes.len() as u64,
                rows_added: entry.adds.iter().filter_map(|add| rows_of(add.stats.as_deref()?)).sum(),
                rows_removed,
                operation: entry.operation,
                snapshots: named.remove(&version).unwrap_or_default(),
            });
        }
        Ok(versions)
    }

    /// The log tells the rows of a file only where it was added.
    async fn rows_removed(&self, name: &str, entry: &LogEntry) -> Result<u64> {
        if entry.removes.is_empty() || entry.version == 0 {
            return Ok(0);
        }
        let folder = table_folder(name)?;
        let before = self.table(name, entry.version - 1).await?;
        let rows: HashMap<_, u64> = before.files.iter().map(|file| (&file.path, file.rows)).collect();
        let mut removed = 0;
        for remove in &entry.removes {
            removed += rows.get(&self.path(&format!("{folder}/{}", remove.path))?).copied().unwrap_or(0);
        }
        Ok(removed)
    }
}

/// The number of rows of versions of tables, each looked up once.
struct Rows<'a> {
    store: &'a Store,
    known: HashMap<(String, u64), i64>,
}

impl Rows<'_> {
    async fn change(
        &mut self,
        snapshot: Snapshot,
        before: Option<&Snapshot>,
        is_first_ever: bool,
    ) -> Result<SnapshotChange> {
        let nothing = BTreeMap::new();
        let had = before.map_or(&nothing, |before| &before.tables);
        let names: BTreeSet<&String> = snapshot.tables.keys().chain(had.keys()).collect();
        let mut tables = Vec::new();
        for name in names {
            let (version, was) = (snapshot.tables.get(name).copied(), had.get(name).copied());
            if version == was {
                continue;
            }
            let rows_added = match before.is_some() || is_first_ever {
                true => Some(self.rows(name, version).await? - self.rows(name, was).await?),
                false => None,
            };
            tables.push(TableChange { table: name.clone(), version, rows_added });
        }
        let Snapshot { id, committed_at, operation, .. } = snapshot;
        Ok(SnapshotChange { snapshot: id, committed_at, operation, tables })
    }

    async fn rows(&mut self, name: &str, version: Option<u64>) -> Result<i64> {
        let Some(version) = version else { return Ok(0) };
        let key = (name.to_owned(), version);
        if let Some(rows) = self.known.get(&key) {
            return Ok(*rows);
        }
        let rows = self.store.table(name, version).await?.rows() as i64;
        self.known.insert(key, rows);
        Ok(rows)
    }
}

fn rows_of(stats: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(stats).ok()?["numRecords"].as_u64()
}
