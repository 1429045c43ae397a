//! Publishing marts and newest scores for BI tools.

use crate::error::Result;
use crate::progress::Progress;
use serde::Serialize;
use store::Publisher;
use warehouse::{SessionOptions, Warehouse};

/// What is published, and the settings of the object store it goes to.
#[derive(Clone, Debug, Default)]
pub struct PublishOptions {
    /// Columns marked as personal data too.
    pub personal_data: bool,
    pub environment: Vec<(String, String)>,
}

/// One published version.
#[derive(Clone, Debug, Serialize)]
pub struct PublishReport {
    pub version: u64,
    pub snapshot: u64,
    pub tables: Vec<PublishedRows>,
}

#[derive(Clone, Debug, Serialize)]
pub struct PublishedRows {
    pub name: String,
    pub rows: u64,
}

/// Publishes the newest snapshot's marts and scores to `url` as one new version.
pub async fn publish(
    warehouse: &Warehouse,
    url: &str,
    options: &PublishOptions,
    progress: &dyn Progress,
) -> Result<PublishReport> {
    progress.start("publish", None);
    let publisher = Publisher::open(url, options.environment.iter().cloned())?;
    publisher.must_be_outside(warehouse.store())?;
    let session = warehouse.session(SessionOptions::default()).await?;
    let what = warehouse::PublishOptions { personal_data: options.personal_data };
    let published = warehouse.publish(&publisher, &session, what).await?;
    let tables = published.tables.into_iter().map(|(name, table)| PublishedRows { name, rows: table.rows });
    let report = PublishReport { version: published.version, snapshot: published.snapshot, tables: tables.collect() };
    progress.finish(&format!("version {} with {} tables", report.version, report.tables.len()));
    Ok(report)
}
