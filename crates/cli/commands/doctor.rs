use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::{DoctorOptions, DoctorReport, ExaminedTable, Finding};

/// Verify the warehouse: snapshots, logs, every file to its last page (checksum, order, statistics), runs, and what was
/// published. Changes nothing; fails if anything is wrong. Files in its folder that are none of its own are named.
#[derive(Args)]
#[command(after_help = "Examples:
  perennial doctor
  perennial doctor core.orders core.events
  perennial doctor --published s3://bucket/bi --format json")]
pub struct Arguments {
    /// Only these tables, and neither runs nor what was published.
    tables: Vec<String>,
    /// What was published here too; what perennial.toml says without it.
    #[arg(long, value_name = "URL")]
    published: Option<String>,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { tables, published, place, format } = arguments;
    let published = context.published(&place, published)?;
    let warehouse = context.open(&place).await?;
    let options = DoctorOptions { tables, published, environment: crate::context::environment() };
    let report = pipeline::doctor(&warehouse, &options, &context.progress()).await?;
    print::report(format, &report, || text(&report))?;
    Ok(pipeline::must_be_sound(&report)?)
}

fn text(report: &DoctorReport) -> String {
    let DoctorReport { snapshots, tables, runs, published, foreign, findings } = report;
    let row = |table: &ExaminedTable| {
        let numbers = [table.versions as u64, table.files, table.rows, table.unneeded_files];
        let numbers = numbers.iter().map(u64::to_string);
        std::iter::once(table.table.clone()).chain(numbers).collect::<Vec<String>>()
    };
    let rows: Vec<Vec<String>> = tables.iter().map(row).collect();
    let mut text = print::columns(&["table", "versions", "files", "rows", "files not needed"], &rows);
    text += &format!("{snapshots} snapshots, {runs} runs");
    if let Some(published) = published {
        text +=
            &format!(", {} versions with {} files published to {}", published.versions, published.files, published.url);
    }
    text.push('\n');
    for path in foreign {
        text += &format!("{path} is none of the warehouse: no table, snapshot or run has it\n");
    }
    if findings.is_empty() {
        return text + "nothing is wrong\n";
    }
    for Finding { place, file, problem, remedy } in findings {
        let file = file.as_ref().map_or(String::new(), |file| format!(", {file}"));
        text += &format!("\n{place}{file}\n  {problem}\n  {remedy}\n");
    }
    text
}
