use crate::context::{Context, Place};
use crate::print;
use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use futures::StreamExt;
use pipeline::SqlOptions;
use std::io::Read;
use std::path::PathBuf;

/// Ask the warehouse in SQL: all tables and views of one snapshot, read-only.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  perennial sql 'SELECT count(*) FROM core.orders'\n  perennial sql --file report.sql --format csv\n  echo 'SELECT 1' | perennial sql\n  perennial sql 'SELECT * FROM features.customer' --as-of 2024-10-01 --out features.parquet"
)]
pub struct Arguments {
    /// The query; from --file or standard input without it.
    query: Option<String>,
    /// A file that holds the query.
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

/// How rows are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
enum Rows {
    #[default]
    Table,
    Csv,
    Json,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { query, file, format, out, snapshot, spine, place } = arguments;
    let query = text(query, file)?;
    let warehouse = context.open(&place).await?;
    let (spine, horizon_days) = spine.parse()?;
    let options = SqlOptions { snapshot, spine, horizon_days };
    if let Some(out) = out {
        let rows = pipeline::sql_to_file(&warehouse, &query, &options, &out, &context.progress()).await?;
        return print::line(&format!("{rows} rows in {}", out.display()));
    }
    let query = pipeline::sql(&warehouse, &query, &options).await?;
    let schema = query.schema();
    let mut stream = query.stream().await?;
    match format {
        Rows::Table => {
            let mut batches = Vec::new();
            while let Some(batch) = stream.next().await {
                batches.push(batch?);
            }
            if batches.is_empty() {
                batches.push(arrow::array::RecordBatch::new_empty(schema.clone()));
            }
            print::batches(&batches)
        }
        Rows::Csv => {
            let mut header = true;
            loop {
                let batch = match stream.next().await {
                    Some(batch) => batch?,
                    // An empty result still has its header.
                    None if header => arrow::array::RecordBatch::new_empty(schema.clone()),
                    None => return Ok(()),
                };
                let mut bytes = Vec::new();
                arrow::csv::WriterBuilder::new().with_header(header).build(&mut bytes).write(&batch)?;
                print::out(&String::from_utf8(bytes)?)?;
                header = false;
            }
        }
        Rows::Json => {
            let nulls = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
            let mut writer = nulls.build::<_, arrow::json::writer::JsonArray>(Vec::new());
            while let Some(batch) = stream.next().await {
                writer.write(&batch?)?;
            }
            writer.finish()?;
            print::line(&String::from_utf8(writer.into_inner())?)
        }
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
