//! The checks in the headers of tables and views: `-- check: amount >= 0` must hold in every row, or be NULL.

use crate::columns::Rows;
use crate::error::{Error, Result};
use crate::progress::Progress;
use serde::Serialize;
use warehouse::{Kind, SessionOptions, Warehouse};

/// One rule and how many rows break it.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub table: String,
    pub rule: String,
    pub failing: u64,
}

/// Runs the checks of some tables and views; of all that have any without names.
pub async fn check(warehouse: &Warehouse, names: &[String], progress: &dyn Progress) -> Result<Vec<Check>> {
    let catalog = warehouse.catalog();
    if let Some(unknown) = names.iter().find(|name| catalog.get(name).is_none()) {
        return Err(Error::UnknownCheck { name: unknown.clone() });
    }
    let session = warehouse.session(SessionOptions::default()).await?;
    let mut checks = Vec::new();
    progress.start("check", None);
    for definition in catalog.iter().filter(|definition| definition.kind != Kind::Staging) {
        let table = definition.full_name();
        if !names.is_empty() && !names.contains(&table) {
            continue;
        }
        for rule in &definition.header.checks {
            let query = format!("SELECT count(*) AS failing FROM {table} WHERE NOT ({rule})");
            let batches = session.sql(&query).await?.collect().await?;
            let failing = Rows { what: table.clone(), batches }.numbers("failing")?;
            let failing = failing.first().copied().flatten().unwrap_or_default() as u64;
            checks.push(Check { table: table.clone(), rule: rule.clone(), failing });
            progress.at(checks.len() as u64);
        }
    }
    progress.finish(&format!("{} checks", checks.len()));
    Ok(checks)
}

/// Fails when a check does, naming each.
pub fn must_hold(checks: &[Check]) -> Result<()> {
    let failed: Vec<String> = checks
        .iter()
        .filter(|check| check.failing > 0)
        .map(|check| format!("{}: {} ({} rows)", check.table, check.rule, check.failing))
        .collect();
    if failed.is_empty() { Ok(()) } else { Err(Error::Checks(failed.len(), failed.join("; "))) }
}
