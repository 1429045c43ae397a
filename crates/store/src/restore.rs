//! Defines [`Store::restore`]: the warehouse as it was at an older snapshot, as a new snapshot on top.
//!
//! A restore is one write, of a snapshot that names the versions of the older one and opens a new [`Snapshot::epoch`]:
//! readers see it whole or not at all, and nothing is deleted. But the newest version of a table then holds rows that
//! the snapshot must not show, and the next append goes on top of the newest version. So before anything is added, a
//! table is settled: a version on top of all others has the files, the columns and the transactions that the snapshot
//! names, and the epoch as a transaction of its own. A version whose epoch is older belongs to work that was undone, and
//! no later snapshot takes it in. Settling is part of the restore where that lives long enough, and else of the next
//! write.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{SubsecRound, Utc};
use deltalake::kernel::{Action, Add, MetadataExt};
use deltalake::protocol::DeltaOperation;
use futures::TryStreamExt;
use object_store::path::Path;

use crate::commit::{Commit, pause, remove};
use crate::error::{Error, Result};
use crate::root::json_bytes;
use crate::snapshot::{ATTEMPTS, Snapshot};
use crate::store::Store;
use crate::table::{Table, VOID_PROPERTY};

/// The transaction that says after which restore a version of a table was made.
pub(crate) const EPOCH: &str = "perennial:epoch";
/// The tables of this schema say who did what: that stays true whatever is restored.
pub(crate) const KEPT_SCHEMA: &str = "audit.";
/// The version of a transaction that was undone. Delta can't forget one, and counts ours from 0.
pub(crate) const UNDONE: i64 = -1;

impl Store {
    /// Makes the warehouse read as snapshot `id` again: commits a new snapshot with its tables and their versions. Tables
    /// made since are not in it, but those of the schema `audit` stay as they are. What was undone stays in the older
    /// snapshots, and restoring one of those undoes this.
    ///
    /// Errors: [`Error::NoSnapshot`], and those of [`Store::may_write`].
    pub async fn restore(&self, id: u64) -> Result<Snapshot> {
        let wanted = self.snapshot_at(id).await?;
        for _ in 0..ATTEMPTS {
            let newest = self.snapshot().await?;
            let tables = restored_tables(&wanted, &newest);
            if newest.tables == tables {
                return Ok(newest);
            }
            let operation = format!("restore {id}");
            let Some(restored) = self.try_restore(&newest, tables, operation).await? else { continue };
            // Vacuum deletes the file of a snapshot before it looks for what is still needed. Either it saw the new one, or
            // the old one's file is gone here, and its data may be.
            if id > 0 && matches!(self.snapshot_at(id).await, Err(Error::NoSnapshot { .. })) {
                self.try_restore(&restored, newest.tables, format!("restore {}", newest.id)).await?;
                return Err(Error::NoSnapshot { id, oldest: newest.id, newest: newest.id });
            }
            for name in newest.tables.keys() {
                // The next write of the table does it, if this fails.
                if let Err(error) = self.settled(name, &restored).await {
                    tracing::warn!(table = name, %error, "restored, but not settled yet");
                }
            }
            return Ok(restored);
        }
        Err(Error::Contended { what: format!("restoring snapshot {id}"), attempts: ATTEMPTS })
    }

    /// Commits these tables on top of `newest`; None if another snapshot came first.
    async fn try_restore(
        &self,
        newest: &Snapshot,
        tables: BTreeMap<String, u64>,
        operation: String,
    ) -> Result<Option<Snapshot>> {
        self.may_write().await?;
        let id = newest.id + 1;
        let committed_at = Utc::now().trunc_subsecs(6);
        let restored = Snapshot { id, tables, committed_at, operation, epoch: id };
        let file = Snapshot::file(id);
        match self.root.create(&file, json_bytes(&file, &restored)?).await {
            Ok(()) => Ok(Some(restored)),
            Err(Error::Exists { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The newest version of a table, which the next commit goes on top of, without what was undone: if it still has
    /// that, a version without it is committed first. None if there is no such table.
    ///
    /// Errors: [`Error::Restored`] if `snapshot` itself was undone.
    pub(crate) async fn settled(&self, name: &str, snapshot: &Snapshot) -> Result<Option<Table>> {
        for attempt in 0..ATTEMPTS {
            let Some(newest) = self.newest(name).await? else { return Ok(None) };
            let named = snapshot.tables.get(name).copied();
            let epoch = newest.epoch().await?;
            if epoch > snapshot.epoch {
                return Err(Error::Restored { table: name.to_owned() });
            }
            if epoch == snapshot.epoch || named == Some(newest.version) {
                return Ok(Some(newest));
            }
            let named = match named {
                Some(version) => Some(self.table(name, version).await?),
                None => None,
            };
            if let Some(settled) = self.try_settle(&newest, named.as_ref(), snapshot.epoch).await? {
                return Ok(Some(settled));
            }
            pause(attempt).await;
        }
        Err(Error::Contended { what: format!("settling {name} after a restore"), attempts: ATTEMPTS })
    }

    /// Commits what `named` has on top of `newest`: its files, columns and transactions; nothing of all that if there was
    /// no table.
    async fn try_settle(&self, newest: &Table, named: Option<&Table>, epoch: u64) -> Result<Option<Table>> {
        let name = newest.name.as_str();
        let paths = |table: &Table| table.files.iter().map(|file| file.path.clone()).collect::<BTreeSet<Path>>();
        let (had, wanted) = (paths(newest), named.map(paths).unwrap_or_default());
        let mut actions = Vec::new();
        match named {
            Some(named) if named.state.metadata() != newest.state.metadata() => {
                actions.push(Action::Metadata(named.state.metadata().clone()));
            }
            Some(_) => {}
            None => {
                let void = newest.state.metadata().clone().add_config_key(VOID_PROPERTY.to_owned(), "true".to_owned());
                actions.push(Action::Metadata(void.map_err(|e| Error::delta(name, e))?));
            }
        }
        for file in newest.files.iter().filter(|file| !wanted.contains(&file.path)) {
            actions.push(remove(self, name, file, true)?);
        }
        for (path, add) in named.into_iter().flat_map(Table::adds) {
            if !had.contains(&path) {
                actions.push(Action::Add(Add { data_change: true, ..add }));
            }
        }
        let message = match named {
            Some(named) => format!("restore {name} as of version {}", named.version),
            None => format!("restore {name} as of before its first version"),
        };
        let mut transactions = self.undone_transactions(newest, named).await?;
        transactions.push((EPOCH.to_owned(), epoch as i64));
        let operation = DeltaOperation::Restore { version: named.map(|named| named.version), datetime: None };
        let commit = Commit { table: name, operation, message: &message, transactions: &transactions };
        self.try_commit(&commit, Some(newest), actions).await
    }

    /// Every transaction recorded since `named`, with what it was there.
    async fn undone_transactions(&self, newest: &Table, named: Option<&Table>) -> Result<Vec<(String, i64)>> {
        let first = named.map_or(0, |named| named.version + 1);
        let entries: Vec<_> = self.log_entries(&newest.name, first..=newest.version).try_collect().await?;
        let mut transactions = BTreeMap::new();
        for transaction in entries.into_iter().flat_map(|entry| entry.transactions) {
            if transaction.app_id == EPOCH || transactions.contains_key(&transaction.app_id) {
                continue;
            }
            let was = match named {
                Some(named) => named.transaction(&transaction.app_id).await?,
                None => None,
            };
            transactions.insert(transaction.app_id, was.unwrap_or(UNDONE));
        }
        Ok(transactions.into_iter().collect())
    }
}

/// The tables of `wanted`, with those that no restore undoes as they are in `newest`.
fn restored_tables(wanted: &Snapshot, newest: &Snapshot) -> BTreeMap<String, u64> {
    let is_kept = |table: &&String| table.starts_with(KEPT_SCHEMA);
    let of = |snapshot: &Snapshot, kept: bool| -> BTreeMap<String, u64> {
        let tables = snapshot.tables.iter().filter(|(table, _)| is_kept(table) == kept);
        tables.map(|(table, version)| (table.clone(), *version)).collect()
    };
    let mut tables = of(wanted, false);
    tables.extend(of(newest, true));
    tables
}

/// What a commit records of the epoch that it is made in; nothing before the first restore.
pub(crate) fn epoch_transaction(epoch: u64) -> Option<(String, i64)> {
    (epoch > 0).then(|| (EPOCH.to_owned(), epoch as i64))
}
