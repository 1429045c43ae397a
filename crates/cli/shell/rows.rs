//! Defines [`Rows`], the forms in which a query's rows are printed. What a file can hold is printed by the code that
//! writes files, so that both are the same.

use crate::context::Context;
use crate::print;
use anyhow::{Result, bail};
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use clap::ValueEnum;
use pipeline::{FileFormat, Query};
use std::io::IsTerminal;

/// How rows are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
pub enum Rows {
    #[default]
    Table,
    Csv,
    /// One array of objects.
    Json,
    /// One object a line.
    Ndjson,
    Markdown,
    /// Not on a terminal; one result only.
    Parquet,
}

impl Rows {
    /// Refuses to print bytes where text is read.
    pub fn check(self) -> Result<()> {
        if self == Rows::Parquet && std::io::stdout().is_terminal() {
            bail!(
                "--format parquet is no text for a terminal: name a file with --out FILE.parquet, or redirect standard output"
            );
        }
        Ok(())
    }

    /// Runs the query and prints its rows. Returns their number.
    pub async fn print(self, query: Query, context: &Context) -> Result<u64> {
        let (format, end) = match self {
            Rows::Table => return table(query, context, print::batches).await,
            Rows::Markdown => return table(query, context, |batches| print::out(&markdown(batches)?)).await,
            Rows::Csv => (FileFormat::Csv, ""),
            Rows::Json => (FileFormat::Json, "\n"),
            Rows::Ndjson => (FileFormat::JsonLines, ""),
            Rows::Parquet => (FileFormat::Parquet, ""),
        };
        let work = pipeline::write_rows(query, print::sink(), format);
        let (rows, _) = match std::io::stdout().is_terminal() {
            // The rows show that something is going on.
            true => work.await?,
            false => context.watch("query", work).await?,
        };
        print::out(end)?;
        Ok(rows)
    }
}

async fn table(query: Query, context: &Context, print: impl Fn(&[RecordBatch]) -> Result<()>) -> Result<u64> {
    let schema = query.schema();
    let mut batches = context.watch("query", query.collect()).await?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    print(&batches)?;
    Ok(batches.iter().map(|batch| batch.num_rows() as u64).sum())
}

/// Numbers right, as in the table that is drawn from it.
fn markdown(batches: &[RecordBatch]) -> Result<String> {
    let Some(first) = batches.first() else { return Ok(String::new()) };
    let schema = first.schema();
    let cell = |text: String| text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', "<br>");
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(schema.fields().iter().map(|field| cell(field.name().clone())).collect());
    let rule = |is_number| if is_number { "---:" } else { "---" }.to_string();
    text += &line(schema.fields().iter().map(|field| rule(field.data_type().is_numeric())).collect());
    let options = FormatOptions::default();
    for batch in batches {
        let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            text += &line(columns.iter().map(|column| cell(column.value(row).to_string())).collect());
        }
    }
    Ok(text)
}
