//! Defines [`Store::vacuum`]: old snapshots go, and then the files that no remaining one needs.
//!
//! What names a file goes before the file: first the files of the snapshots, the oldest first, then the data. A vacuum
//! that is killed leaves a shorter chain of snapshots, and files that nobody needs; the next one takes them. The logs of
//! the tables stay as they are: a version whose files are gone can no longer be read, and says so.
//!
//! Writers put their files before a commit names them. A file that no log names yet is therefore kept for
//! [`ORPHAN_AGE`], whatever the retention, and a writer refuses to name what is half as old.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectMeta;
use object_store::path::Path;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::table::{Table, table_folder};

/// How long a file that no log names may still be about to be named.
pub(crate) const ORPHAN_AGE: TimeDelta = TimeDelta::hours(24);
/// By how much the clocks of the storage and of a writer may differ.
const CLOCK_SKEW: TimeDelta = TimeDelta::hours(1);
/// Deletions on their way at once.
const DELETES: usize = 16;

/// Which snapshots stay. The newest one always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Those that were the newest at any time in the last while.
    For(TimeDelta),
    /// The last so many.
    Snapshots(usize),
}

/// What a vacuum deleted, or would delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vacuumed {
    /// The numbers of the snapshots that can't be read any more.
    pub dropped_snapshots: Vec<u64>,
    /// The oldest one that can; 0 in a fresh warehouse.
    pub oldest_snapshot: u64,
    /// Tables with files that nobody needs.
    pub tables: Vec<VacuumedTable>,
}

/// Files of a table that nobody needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VacuumedTable {
    pub table: String,
    /// Those that went.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// Those that no log names, too young to go: a writer may be about to name them.
    pub young_files: u64,
}

/// The files of a table, as they were listed before the logs were read.
struct Candidates {
    table: String,
    objects: BTreeMap<Path, ObjectMeta>,
    /// Those that a recent log entry names: not orphans, however young.
    named: BTreeSet<Path>,
}

impl Store {
    /// Drops the snapshots that `keep` does not keep, and deletes every file that neither a remaining one nor unfinished
    /// work needs; with `dry_run` only says which. Readers of a dropped snapshot fail; nobody else notices.
    ///
    /// Errors: those of reading a snapshot or table that stays, and of [`Store::may_write`]; then nothing is deleted.
    pub async fn vacuum(&self, keep: Keep, dry_run: bool) -> Result<Vacuumed> {
        let ids = self.snapshot_ids().await?;
        let kept = self.kept(&ids, keep).await?;
        let oldest_snapshot = kept.first().map_or(0, |snapshot| snapshot.id);
        let dropped: Vec<u64> = ids.into_iter().filter(|&id| id < oldest_snapshot).collect();
        // The files before the entries that may name them, and those before the versions that may need them: what a writer
        // commits meanwhile is needed, or unknown and young.
        let mut candidates = Vec::new();
        for table in self.table_names().await? {
            candidates.push(self.candidates(table).await?);
        }
        let mut needed = self.needed(&kept, &candidates).await?;
        if !dry_run {
            self.may_write().await?;
            for &id in &dropped {
                self.root.delete(&Snapshot::file(id)).await?;
            }
            // A restore that began before may have brought back what a dropped snapshot had.
            let newest = kept.last().map_or(0, |snapshot| snapshot.id);
            let mut later = Vec::new();
            for id in self.snapshot_ids().await?.into_iter().filter(|&id| id > newest) {
                later.push(self.snapshot_at(id).await?);
            }
            needed.extend(self.needed(&later, &candidates).await?);
        }
        let mut tables = Vec::new();
        for candidates in candidates {
            tables.extend(self.take(candidates, &needed, dry_run).await?);
        }
        Ok(Vacuumed { dropped_snapshots: dropped, oldest_snapshot, tables })
    }

    /// [`Error::Vacuumed`] if files of this version are gone.
    pub async fn must_be_whole(&self, table: &Table) -> Result<()> {
        let listed = self.data_files(&table.name).await?;
        match table.files.iter().filter(|file| !listed.contains_key(&file.path)).count() {
            0 => Ok(()),
            files => Err(Error::Vacuumed { table: table.name.clone(), version: table.version, files }),
        }
    }

    /// The snapshots that stay, oldest first.
    async fn kept(&self, ids: &[u64], keep: Keep) -> Result<Vec<Snapshot>> {
        let now = Utc::now();
        let mut kept: Vec<Snapshot> = Vec::new();
        for &id in ids.iter().rev() {
            let stays = match (keep, kept.last()) {
                (_, None) => true,
                // It was the newest until that one came.
                (Keep::For(while_), Some(successor)) => successor.committed_at > now - while_,
                (Keep::Snapshots(count), Some(_)) => kept.len() < count,
            };
            if !stays {
                break;
            }
            kept.push(self.snapshot_at(id).await?);
        }
        kept.reverse();
        Ok(kept)
    }

    async fn candidates(&self, table: String) -> Result<Candidates> {
        let objects = self.data_files(&table).await?;
        let since = Utc::now() - ORPHAN_AGE - CLOCK_SKEW;
        let versions = self.log_versions(&table).await?;
        let recent = versions.into_iter().filter(|(_, written_at)| *written_at > since).map(|(version, _)| version);
        let entries: Vec<_> = self.log_entries(&table, recent).try_collect().await?;
        let folder = table_folder(&table)?;
        let paths =
            entries.iter().flat_map(|entry| &entry.adds).map(|add| self.path(&format!("{folder}/{}", add.path)));
        let named = paths.collect::<Result<_>>()?;
        Ok(Candidates { table, objects, named })
    }

    /// The files of every version that the snapshots name, and of the versions that the next appends go on top of.
    async fn needed(&self, snapshots: &[Snapshot], candidates: &[Candidates]) -> Result<BTreeSet<Path>> {
        let mut versions: BTreeSet<(&String, u64)> = BTreeSet::new();
        for snapshot in snapshots {
            versions.extend(snapshot.tables.iter().map(|(name, version)| (name, *version)));
        }
        let mut needed = BTreeSet::new();
        let mut add = |table: Table| needed.extend(table.files.into_iter().map(|file| file.path));
        for (name, version) in versions {
            add(self.table(name, version).await?);
        }
        for Candidates { table, .. } in candidates {
            self.latest(table).await?.into_iter().for_each(&mut add);
        }
        Ok(needed)
    }

    async fn take(
        &self,
        candidates: Candidates,
        needed: &BTreeSet<Path>,
        dry_run: bool,
    ) -> Result<Option<VacuumedTable>> {
        let Candidates { table, objects, named } = candidates;
        let before: DateTime<Utc> = Utc::now() - ORPHAN_AGE;
        let unneeded = objects.into_values().filter(|object| !needed.contains(&object.location));
        let (taken, young): (Vec<_>, Vec<_>) =
            unneeded.partition(|object| named.contains(&object.location) || object.last_modified < before);
        if !dry_run {
            let paths = taken.iter().map(|object| self.root.relative(&object.location).unwrap_or_default());
            let deletes: Vec<_> = paths.map(|path| async move { self.root.delete(&path).await }).collect();
            stream::iter(deletes).buffer_unordered(DELETES).try_collect::<()>().await?;
        }
        let (files, bytes) = (taken.len() as u64, taken.iter().map(|object| object.size).sum());
        let young_files = young.len() as u64;
        Ok((files + young_files > 0).then_some(VacuumedTable { table, files, bytes, young_files }))
    }
}
