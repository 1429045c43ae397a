//! Defines how a change of a table becomes the next version of its log.

use std::time::Duration;

use chrono::Utc;
use deltalake::DeltaTableError;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference, TransactionError};
use deltalake::kernel::{Action, Remove, Transaction};
use deltalake::protocol::DeltaOperation;
use serde_json::json;
use uuid::Uuid;

use crate::BUCKET;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::table::{DataFile, Table, table_folder};

/// What a commit says of itself, beside its actions.
pub(crate) struct Commit<'a> {
    pub(crate) table: &'a str,
    pub(crate) operation: DeltaOperation,
    /// For people.
    pub(crate) message: &'a str,
    pub(crate) transactions: &'a [(String, i64)],
}

impl Store {
    /// One try to commit right on top of `newest`; None if another writer was faster.
    ///
    /// Errors: those of [`Store::may_write`], and then nothing was committed.
    pub(crate) async fn try_commit(
        &self,
        commit: &Commit<'_>,
        newest: Option<&Table>,
        actions: Vec<Action>,
    ) -> Result<Option<Table>> {
        self.may_write().await?;
        let Commit { table: name, operation, message, transactions } = commit;
        let transactions = transactions.iter().map(|(app_id, version)| Transaction::new(app_id, *version));
        let properties = CommitProperties::default()
            .with_max_retries(0)
            // Old snapshots name old versions: their log must stay.
            .with_cleanup_expired_logs(Some(false))
            .with_application_transactions(transactions.collect())
            .with_metadata([("userMetadata".to_owned(), json!(message))]);
        let state = newest.map(|table| &table.state as &dyn TableReference);
        let log = self.log(name)?;
        let commit = CommitBuilder::from(properties).with_actions(actions).build(state, log.clone(), operation.clone());
        let prepared = commit.into_prepared_commit_future().await.map_err(|e| Error::delta(name, e))?;
        let committed = match prepared.await {
            Ok(committed) => committed,
            Err(error) if is_lost_race(&error) => return Ok(None),
            Err(error) => return Err(Error::delta(name, error)),
        };
        let version = committed.version;
        match committed.await {
            Ok(finished) => self.describe(name, finished.snapshot, log).map(Some),
            Err(error) => {
                tracing::warn!(table = name, version, %error, "committed, but its checkpoint could not be written");
                self.table(name, version).await.map(Some)
            }
        }
    }
}

/// Whether another writer took the version that a commit was for.
fn is_lost_race(error: &DeltaTableError) -> bool {
    use TransactionError::{CommitConflict, MaxCommitAttempts, VersionAlreadyExists};
    match error {
        DeltaTableError::VersionAlreadyExists(_) => true,
        DeltaTableError::Transaction { source } => {
            matches!(source, VersionAlreadyExists(_) | MaxCommitAttempts(_) | CommitConflict(_))
        }
        _ => false,
    }
}

/// Waits a little, longer every time and not equally long for all writers.
pub(crate) async fn pause(attempt: u32) {
    let spread = Uuid::now_v7().as_u128() as u64 % 16;
    tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(20)) * 4 + spread)).await;
}

/// The action that takes a file out of a table. `data_change`: its rows go with it.
pub(crate) fn remove(store: &Store, table: &str, file: &DataFile, data_change: bool) -> Result<Action> {
    let folder = format!("{}/", table_folder(table)?);
    let path = store.root.relative(&file.path).and_then(|path| Some(path.strip_prefix(&folder)?.to_owned()));
    let outside = || Error::Damaged { path: file.path.to_string(), reason: format!("it lies outside of {folder}") };
    Ok(Action::Remove(Remove {
        path: path.ok_or_else(outside)?,
        data_change,
        deletion_timestamp: Some(Utc::now().timestamp_millis()),
        extended_file_metadata: Some(true),
        partition_values: file.bucket.map(|bucket| [(BUCKET.to_owned(), Some(bucket.to_string()))].into()),
        size: Some(file.size as i64),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
    }))
}
