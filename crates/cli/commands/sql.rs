use crate::context::{Context, Place};
use crate::print;
use crate::shell::{self, Rows};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use pipeline::SqlOptions;
use std::io::Read;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  perennial sql 'SELECT count(*) FROM core.orders; SELECT count(*) FROM core.customers'
  perennial sql --file report.sql --format csv
  echo 'SELECT 1' | perennial sql --format markdown
  perennial sql 'SELECT * FROM features.customer' --as-of 2024-10-01 --out features.parquet
  perennial sql 'EXPLAIN ANALYZE SELECT count(*) FROM features.customer'";

/// Ask the warehouse in SQL: all tables and views of one snapshot, read-only.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// One or several statements, separated by `;`; from --file or standard input without it.
    query: Option<String>,
    /// A file that holds the statements.
    #[arg(long, conflicts_with = "query", value_name = "FILE")]
    file: Option<PathBuf>,
    /// How rows are printed.
    #[arg(long, value_enum, default_value_t, conflicts_with = "out")]
    format: Rows,
    /// Write the result to a file, whole or not at all; its ending chooses the format: .csv, .json (one object a line)
    /// or .parquet.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Read an older snapshot of the whole warehouse.
    #[arg(long)]
    snapshot: Option<u64>,
    #[command(flatten)]
    spine: super::features::SpineArguments,
    #[command(flatten)]
    place: Place,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { query, file, format, out, snapshot, spine, place } = arguments;
    let statements = pipeline::Statement::parse_all(&text(query, file)?)?;
    let warehouse = context.open(&place).await?;
    let (spine, horizon_days) = spine.parse()?;
    let session = pipeline::session(&warehouse, &SqlOptions { snapshot, spine, horizon_days }).await?;
    match (out, statements.as_slice()) {
        (_, []) => bail!("no query: there are only comments"),
        (None, statements) => shell::run(&session, statements, format, context).await,
        (Some(out), [statement]) => {
            let query = session.query(statement).await?;
            let rows = pipeline::query_to_file(query, &out, &context.progress()).await?;
            print::line(&format!("{rows} rows in {}", out.display()))
        }
        (Some(_), several) => bail!(
            "--out holds the rows of one statement, and there are {}; use COPY (SELECT …) TO 'file' for each",
            several.len()
        ),
    }
}

fn text(query: Option<String>, file: Option<PathBuf>) -> Result<String> {
    match (query, file) {
        (Some(query), _) => Ok(query),
        (None, Some(file)) => std::fs::read_to_string(&file).with_context(|| file.display().to_string()),
        (None, None) => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input")?;
            if text.trim().is_empty() {
                bail!("no query: give it as an argument, with --file, or on standard input");
            }
            Ok(text)
        }
    }
}
