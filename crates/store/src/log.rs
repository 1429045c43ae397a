//! Defines [`LogEntry`]: one commit of a table, as its file in the log has it.
//!
//! Delta's own reader tells what a table is at a version; this tells how it became that, and whether every file of the
//! log is there.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use deltalake::kernel::{Action, Add, Metadata, Remove, Transaction};
use futures::{Stream, StreamExt, stream};

use crate::error::{Error, Result};
use crate::store::Store;
use crate::table::table_folder;

/// Entries that are read at once.
const READS: usize = 16;
/// Where a table's log lies in its folder.
pub(crate) const LOG_FOLDER: &str = "_delta_log";

/// One commit of a table.
#[derive(Debug, Clone)]
pub(crate) struct LogEntry {
    pub(crate) version: u64,
    /// None if it does not say.
    pub(crate) committed_at: Option<DateTime<Utc>>,
    /// What was done, for people.
    pub(crate) operation: String,
    /// What the table is from here on; None if that stays as it was.
    pub(crate) metadata: Option<Metadata>,
    pub(crate) adds: Vec<Add>,
    pub(crate) removes: Vec<Remove>,
    pub(crate) transactions: Vec<Transaction>,
}

impl Store {
    /// The versions whose log entries are there, and when each was written by the clock of the storage.
    pub(crate) async fn log_versions(&self, table: &str) -> Result<BTreeMap<u64, DateTime<Utc>>> {
        let objects = self.root.list_objects(&log_folder(table)?).await?;
        let entries = objects.iter().filter_map(|o| Some((entry_version(o.location.filename()?)?, o.last_modified)));
        Ok(entries.collect())
    }

    /// The entries of these versions, in their order.
    pub(crate) fn log_entries(
        &self,
        table: &str,
        versions: impl IntoIterator<Item = u64>,
    ) -> impl Stream<Item = Result<LogEntry>> {
        let reads = versions.into_iter().map(|version| self.log_entry(table, version)).collect::<Vec<_>>();
        stream::iter(reads).buffered(READS)
    }

    pub(crate) async fn log_entry(&self, table: &str, version: u64) -> Result<LogEntry> {
        let path = entry_file(table, version)?;
        let bytes = self.root.get(&path).await?;
        let damaged = |e: serde_json::Error| Error::Damaged { path: self.root.show(&path), reason: e.to_string() };
        let mut entry = LogEntry {
            version,
            committed_at: None,
            operation: String::new(),
            metadata: None,
            adds: Vec::new(),
            removes: Vec::new(),
            transactions: Vec::new(),
        };
        for action in serde_json::Deserializer::from_slice(&bytes).into_iter::<Action>() {
            match action.map_err(damaged)? {
                Action::Add(add) => entry.adds.push(add),
                Action::Remove(remove) => entry.removes.push(remove),
                Action::Txn(transaction) => entry.transactions.push(transaction),
                Action::CommitInfo(info) => {
                    entry.committed_at = info.timestamp.and_then(DateTime::from_timestamp_millis);
                    let message = info.info.get("userMetadata").and_then(|message| message.as_str());
                    let message = message.map(str::to_owned).or(info.user_metadata);
                    entry.operation = message.or(info.operation).unwrap_or_default();
                }
                Action::Metadata(metadata) => entry.metadata = Some(metadata),
                Action::Protocol(_) | Action::Cdc(_) | Action::DomainMetadata(_) => {}
            }
        }
        Ok(entry)
    }

    /// Every table that has a log, whether or not a snapshot names it.
    pub async fn table_names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for name in self.possible_tables().await? {
            if !self.log_versions(&name).await?.is_empty() {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Every name that has a folder where a table's would be, with a log or not.
    pub(crate) async fn possible_tables(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for schema in self.root.folders("").await? {
            let tables = self.root.folders(&schema).await?.into_iter().map(|table| format!("{schema}.{table}"));
            names.extend(tables.filter(|name| table_folder(name).is_ok()));
        }
        names.sort_unstable();
        Ok(names)
    }
}

pub(crate) fn log_folder(table: &str) -> Result<String> {
    Ok(format!("{}/{LOG_FOLDER}", table_folder(table)?))
}

/// Where an entry lies.
pub(crate) fn entry_file(table: &str, version: u64) -> Result<String> {
    Ok(format!("{}/{version:020}.json", log_folder(table)?))
}

/// The version of which a file of the log is the entry; None of a checkpoint.
pub(crate) fn entry_version(file: &str) -> Option<u64> {
    file.strip_suffix(".json").filter(|digits| digits.len() == 20)?.parse().ok()
}
