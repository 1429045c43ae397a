//! Defines [`Snapshot`]: which Delta version of each table belongs together.
//!
//! The protocol, for one writer of several tables:
//!
//! 1. It appends to each table: one Delta commit per table, on top of the table's *newest* version, whether or not a
//!    snapshot names that one. The commit records what it holds as transactions (`app_id`, `version`), and an append
//!    whose transactions are there already does nothing.
//! 2. Last, it puts `_snapshots/<n>.json` with put-if-absent, `n` one above the newest. If another writer took `n`, it
//!    reads what that one wrote, takes the higher version of each table, and tries `n + 1`.
//!
//! A reader reads one snapshot file and the versions that it names: one state of the warehouse, never a mix. A writer
//! that is killed before a Delta commit leaves data files that no log names. Killed between a Delta commit and the
//! snapshot, it leaves whole commits that no snapshot names: run again, it finds its transactions there, and the next
//! snapshot of that table adopts them. A table's versions only rise from one snapshot to the next, but for those of a
//! restore (see `restore.rs`).

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::root::json_bytes;
use crate::store::Store;

pub(crate) const FOLDER: &str = "_snapshots";
/// How often a writer lets others go first before it gives up.
pub(crate) const ATTEMPTS: u32 = 100;

/// One state of the whole warehouse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Counts from 1; 0 is the warehouse with nothing in it.
    pub id: u64,
    /// The Delta version of each table, by name (`core.orders`).
    pub tables: BTreeMap<String, u64>,
    pub committed_at: DateTime<Utc>,
    /// What was done, for people.
    pub operation: String,
    /// The newest snapshot up to this one that a restore made; 0 if there was none. What was made of tables in an earlier
    /// epoch counts only as far as that snapshot names it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub epoch: u64,
}

impl Store {
    /// The newest snapshot; id 0 with no tables in a fresh warehouse.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        for _ in 0..ATTEMPTS {
            match self.newest_snapshot().await? {
                0 => return Ok(Snapshot::empty()),
                id => match self.root.get_json(&Snapshot::file(id)).await {
                    // A newer one came, and vacuum took this one.
                    Err(Error::Missing { .. }) => continue,
                    snapshot => return snapshot,
                },
            }
        }
        Err(Error::Contended { what: "reading the newest snapshot".to_owned(), attempts: ATTEMPTS })
    }

    /// Snapshot `id`; [`Error::NoSnapshot`] when there is none.
    pub async fn snapshot_at(&self, id: u64) -> Result<Snapshot> {
        if id == 0 {
            return Ok(Snapshot::empty());
        }
        match self.root.get_json(&Snapshot::file(id)).await {
            Err(Error::Missing { .. }) => {
                let ids = self.snapshot_ids().await?;
                let (oldest, newest) = (ids.first().copied().unwrap_or(0), ids.last().copied().unwrap_or(0));
                Err(Error::NoSnapshot { id, oldest, newest })
            }
            snapshot => snapshot,
        }
    }

    /// Every snapshot that can be read, oldest first.
    pub async fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let mut snapshots = Vec::new();
        for id in self.snapshot_ids().await? {
            match self.snapshot_at(id).await {
                // Vacuum took it meanwhile.
                Err(Error::NoSnapshot { .. }) => {}
                snapshot => snapshots.push(snapshot?),
            }
        }
        Ok(snapshots)
    }

    /// The numbers of the snapshots that there are, rising.
    pub(crate) async fn snapshot_ids(&self) -> Result<Vec<u64>> {
        let files = self.root.list(FOLDER).await?;
        Ok(files.iter().filter_map(|file| number(file)).collect())
    }

    /// Commits the newest snapshot with `tables` at these versions or later ones, the others as they are. When that
    /// changes nothing, the newest snapshot is returned and none is written.
    ///
    /// Errors: [`Error::Restored`] if a restore undid one of the versions.
    pub async fn commit_snapshot(&self, operation: &str, tables: BTreeMap<String, u64>) -> Result<Snapshot> {
        for _ in 0..ATTEMPTS {
            let newest = self.snapshot().await?;
            let merged = merge(&newest.tables, &tables);
            if merged == newest.tables {
                return Ok(newest);
            }
            self.refuse_undone(&newest, &merged).await?;
            let next = Snapshot {
                id: newest.id + 1,
                tables: merged,
                committed_at: Utc::now().trunc_subsecs(6),
                operation: operation.to_owned(),
                epoch: newest.epoch,
            };
            self.may_write().await?;
            let file = Snapshot::file(next.id);
            match self.root.create(&file, json_bytes(&file, &next)?).await {
                // Vacuum deletes old snapshots: where others took this number and the next one meanwhile, it may have been
                // free again.
                Ok(()) if self.newest_snapshot().await? == next.id => return Ok(next),
                Ok(()) | Err(Error::Exists { .. }) => continue,
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended { what: "committing a snapshot".to_owned(), attempts: ATTEMPTS })
    }

    /// A version that is new in a snapshot must have been made since the last restore.
    async fn refuse_undone(&self, newest: &Snapshot, tables: &BTreeMap<String, u64>) -> Result<()> {
        let is_new = |(name, version): &(&String, &u64)| newest.tables.get(*name) != Some(*version);
        for (name, &version) in tables.iter().filter(|table| newest.epoch > 0 && is_new(table)) {
            if self.table(name, version).await?.epoch().await? < newest.epoch {
                return Err(Error::Restored { table: name.clone() });
            }
        }
        Ok(())
    }

    async fn newest_snapshot(&self) -> Result<u64> {
        Ok(self.snapshot_ids().await?.last().copied().unwrap_or(0))
    }
}

impl Snapshot {
    /// Where a snapshot lies.
    pub(crate) fn file(id: u64) -> String {
        format!("{FOLDER}/{id:020}.json")
    }

    fn empty() -> Self {
        Snapshot {
            id: 0,
            tables: BTreeMap::new(),
            committed_at: DateTime::UNIX_EPOCH,
            operation: "init".to_owned(),
            epoch: 0,
        }
    }
}

fn number(file: &str) -> Option<u64> {
    file.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}

fn merge(ours: &BTreeMap<String, u64>, theirs: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut merged = ours.clone();
    for (table, &version) in theirs {
        let newest = merged.entry(table.clone()).or_insert(version);
        *newest = version.max(*newest);
    }
    merged
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
