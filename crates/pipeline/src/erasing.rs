//! The right to be forgotten.

use crate::error::Result;
use crate::progress::Progress;
use warehouse::{EraseOptions, EraseReport, Warehouse};

/// Erases customers from every version of every table and from what was published, or says what would go.
pub async fn erase(warehouse: &Warehouse, options: &EraseOptions, progress: &dyn Progress) -> Result<EraseReport> {
    progress.start("erase", None);
    let report = warehouse.erase(options).await?;
    let rows: u64 = report.tables.iter().chain(&report.published).map(|table| table.rows).sum();
    progress.finish(&format!("{rows} rows of {} tables", report.tables.len() + report.published.len()));
    Ok(report)
}
