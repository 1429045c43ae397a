//! Defines [`LogEntry`]: one commit of a table, as its file in the log has it.
//!
//! Delta's own reader tells what a table is at a version; this tells how it became that, and whether every file of the
//! log is there.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use deltalake::kernel::{Action, Add, Remove, Transaction};
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
    pub(crate) adds: Vec<Add>,
    pub(crate) removes: Vec<Remove>,
    pub(crate) transactions: Vec<Transaction>,
}

impl Store {
    /// The versions whose log entries are there, and when each was written by the clock of the storage.
    pub(crate) async fn log_versions(&self, table: &str) -> Result<BTreeMap<u64, DateTime<Utc>>> {
        let objects = self.root.list_objects(&format!("{}/{LOG_FOLDER}", table_folder(table)?)).await?;
        let version = |name: &str| name.strip_suffix(".json").filter(|digits| digits.len() == 20)?.parse().ok();
        let entries = objects.iter().filter_map(|o| Some((version(o.location.filename()?)?, o.last_modified)));
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
        let path = format!("{}/{LOG_FOLDER}/{version:020}.json", table_folder(table)?);
        let bytes = self.root.get(&path).await?;
        let damaged = |e: serde_json::Error| Error::Damaged { path: self.root.show(&path), reason: e.to_string() };
        let mut entry = LogEntry {
            version,
            committed_at: None,
            operation: String::new(),
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
                Action::Metadata(_) | Action::Protocol(_) | Action::Cdc(_) | Action::DomainMetadata(_) => {}
            }
        }
        Ok(entry)
    }

    /// Every table that has a log, whether or not a snapshot names it.
    pub(crate) async fn table_names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for schema in self.root.folders("").await? {
            for table in self.root.folders(&schema).await? {
                let name = format!("{schema}.{table}");
                if table_folder(&name).is_ok() && !self.log_versions(&name).await?.is_empty() {
                    names.push(name);
                }
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}
