//! What happened to a warehouse, going back, and clearing away.

use crate::error::{Error, Result};
use crate::progress::Progress;
use serde::Serialize;
use store::{Keep, Publisher, SnapshotChange, TableChange, TableVersion, Vacuumed, VacuumedVersions};
use warehouse::Warehouse;

/// The newest `limit` snapshots and what each changed, newest first.
pub async fn history(warehouse: &Warehouse, limit: usize) -> Result<Vec<SnapshotChange>> {
    Ok(warehouse.store().history(limit).await?)
}

/// The newest `limit` versions of a table, newest first.
pub async fn table_history(warehouse: &Warehouse, table: &str, limit: usize) -> Result<Vec<TableVersion>> {
    warehouse.written(&[table.to_string()], &[]).await?;
    Ok(warehouse.store().table_history(table, limit).await?)
}

/// What a restore did.
#[derive(Clone, Debug, Serialize)]
pub struct RestoreReport {
    /// What was asked for.
    pub restored: u64,
    /// The snapshot that has it now.
    pub snapshot: u64,
    /// Restoring this one undoes the restore; the same as `snapshot` if nothing was to be done.
    pub before: u64,
    /// Tables that are not what they were before.
    pub tables: Vec<TableChange>,
}

/// Makes the warehouse read as an older snapshot again, as a new one.
pub async fn restore(warehouse: &Warehouse, snapshot: u64, progress: &dyn Progress) -> Result<RestoreReport> {
    progress.start("restore", None);
    let before = warehouse.store().snapshot().await?.id;
    let now = warehouse.store().restore(snapshot).await?.id;
    let change = if now > before { history(warehouse, 1).await?.pop() } else { None };
    let tables = change.map_or(Vec::new(), |change| change.tables);
    let report = RestoreReport { restored: snapshot, snapshot: now, before, tables };
    progress.finish(&format!("{} tables", report.tables.len()));
    Ok(report)
}

/// What is cleared away.
#[derive(Clone, Debug)]
pub struct VacuumOptions {
    pub keep: Keep,
    /// Of published versions so many stay; all of them without it.
    pub keep_versions: Option<usize>,
    /// Where the warehouse publishes to.
    pub published: Option<String>,
    /// Only say what would go.
    pub dry_run: bool,
    /// Settings of the object store that is published to.
    pub environment: Vec<(String, String)>,
}

/// What a vacuum cleared away, or would.
#[derive(Clone, Debug, Serialize)]
pub struct VacuumReport {
    pub is_dry_run: bool,
    #[serde(flatten)]
    pub warehouse: Vacuumed,
    pub published: Option<VacuumedVersions>,
}

/// Drops old snapshots and deletes the files that nobody needs any more.
pub async fn vacuum(warehouse: &Warehouse, options: &VacuumOptions, progress: &dyn Progress) -> Result<VacuumReport> {
    let VacuumOptions { keep, keep_versions, published, dry_run, environment } = options;
    let publisher = match (keep_versions, published) {
        (Some(keep), Some(url)) => Some((*keep, Publisher::open(url, environment.iter().cloned())?)),
        (Some(_), None) => return Err(Error::NowherePublished),
        (None, _) => None,
    };
    progress.start("vacuum", None);
    let cleared = warehouse.store().vacuum(*keep, *dry_run).await?;
    let published = match publisher {
        Some((keep, publisher)) => Some(publisher.vacuum(keep, *dry_run).await?),
        None => None,
    };
    let bytes: u64 = cleared.tables.iter().map(|table| table.bytes).sum();
    progress.finish(&format!("{} snapshots, {bytes} bytes", cleared.dropped_snapshots.len()));
    Ok(VacuumReport { is_dry_run: *dry_run, warehouse: cleared, published })
}
