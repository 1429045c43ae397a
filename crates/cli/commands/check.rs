use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::{CheckOptions, CheckReport, CheckResult, Severity};

/// Run the checks in the headers of tables and views and in sql/checks, and keep what they find: results in
/// quality.results, the key of every failing row in quality.failures, and the history of both in quality.scores.
///
/// A check that can't be computed over the rows there are has failed; the others are made all the same.
///
/// Exit code 0: all checks hold, or only warnings failed. 3: a check of severity error failed. 1: the checks could not be
/// made, as where one names a column that there is not.
#[derive(Args)]
#[command(after_help = "Examples:
  perennial check
  perennial check core.orders features.rhythm
  perennial check --severity error --format json
  perennial sql \"SELECT * FROM quality.failures WHERE table_name = 'core.orders'\"

A check is a line in the header of a SQL file:
  -- check: amount >= 0
  -- check: references(customer_id, core.customers.customer_id) at most 1 % severity warn
  -- check: accepted(status, completed, returned) where channel = 'web'
Rules: a SQL predicate, accepted, drift, fresh, matches, missing, not_null, outliers, range, references, row_count,
row_count_change, sum_equals, unique. A file sql/checks/<name>.sql is a query of failing rows.")]
pub struct Arguments {
    /// Tables and views; all that have checks without it.
    tables: Vec<String>,
    /// Leave out checks below this severity: warn or error. Default: warn.
    #[arg(long, default_value_t = Severity::Warn, value_name = "SEVERITY", hide_default_value = true)]
    severity: Severity,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { tables, severity, place, format } = arguments;
    let warehouse = context.open(&place).await?;
    let report = pipeline::check(&warehouse, &CheckOptions { tables, severity }, &context.progress()).await?;
    print::report(format, &report, || text(&report))?;
    Ok(pipeline::must_hold(&report)?)
}

/// What failed, the scores, and a line about all of it.
fn text(report: &CheckReport) -> String {
    let failed: Vec<&CheckResult> = report.results.iter().filter(|result| !result.passed).collect();
    let mut text = String::new();
    if !failed.is_empty() {
        let rows: Vec<Vec<String>> = failed.iter().map(|result| failed_row(result)).collect();
        text += &print::columns(&["failed", "table", "check", "found", "where"], &rows);
        text.push('\n');
    }
    let score = |score: &pipeline::Score| {
        let rules = format!("{} of {}", score.rules - score.failed, score.rules);
        vec![score.table.clone(), score.dimension.clone(), format!("{:.4}", score.score), rules]
    };
    let scores: Vec<Vec<String>> = report.scores.iter().map(score).collect();
    text += &print::columns(&["table", "dimension", "score", "checks hold"], &scores);
    let hold = report.results.len() - failed.len();
    text + &format!("\n{hold} of {} checks hold on snapshot {}\n", report.results.len(), report.snapshot)
}

fn failed_row(result: &CheckResult) -> Vec<String> {
    let found = match (result.rows_failed, result.rows_checked, result.value) {
        (Some(failed), Some(checked), _) => format!("{failed} of {checked} rows"),
        (_, _, Some(value)) => format!("{value:.4}, allowed {}", result.threshold),
        _ => "nothing".into(),
    };
    let rows = result.first_failures.iter().map(|failure| match &failure.value {
        Some(value) => format!("{} ({})", failure.key, print::short(value)),
        None => failure.key.clone(),
    });
    let mut place: Vec<String> = result.note.clone().into_iter().chain(rows.take(3)).collect();
    if result.rows_failed.is_some_and(|failed| failed > 3) {
        place.push("…".into());
    }
    vec![result.severity.name().into(), result.table.clone(), print::short(&result.rule), found, place.join("; ")]
}
