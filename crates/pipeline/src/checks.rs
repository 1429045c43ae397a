//! The checks of tables and views, and what follows from them.

use crate::error::{Error, Result};
use crate::progress::Progress;
use warehouse::{CheckOptions, CheckReport, CheckResult, Severity, Warehouse};

/// Failing checks that an error names.
const NAMED: usize = 5;

/// Tests the checks of some tables and views, or of all that have any, and records what was found.
pub async fn check(warehouse: &Warehouse, options: &CheckOptions, progress: &dyn Progress) -> Result<CheckReport> {
    progress.start("check", None);
    let report = warehouse.check(options, &|done| progress.at(done)).await?;
    let failed = failed(&report, Severity::Warn).count();
    progress.finish(&format!("{} checks, {failed} failed", report.results.len()));
    Ok(report)
}

/// Fails when a check of severity error does, naming the first of them.
pub fn must_hold(report: &CheckReport) -> Result<()> {
    let of = |result: &CheckResult| {
        let rows = result.rows_failed.map_or(String::new(), |rows| format!(" ({rows} rows)"));
        format!("{}: {}{rows}", result.table, result.rule)
    };
    let errors: Vec<String> = failed(report, Severity::Error).map(of).collect();
    match errors.len() {
        0 => Ok(()),
        count => {
            let more = if count > NAMED { "; …" } else { "" };
            Err(Error::Checks(count, errors.into_iter().take(NAMED).collect::<Vec<_>>().join("; ") + more))
        }
    }
}

/// The failed checks of at least this severity.
pub(crate) fn failed(report: &CheckReport, severity: Severity) -> impl Iterator<Item = &CheckResult> {
    report.results.iter().filter(move |result| !result.passed && result.severity >= severity)
}
