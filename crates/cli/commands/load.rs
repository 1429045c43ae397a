use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::LoadOptions;

/// Load CSV, NDJSON or Parquet files into a raw table, all or nothing. Files loaded before are skipped.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  perennial load raw.shop_orders 'export/orders-*.csv' --history\n  perennial load raw.cdnow_sample CDNOW_sample.txt --columns master_id,id,date,cds,dollars"
)]
pub struct Arguments {
    /// The table, raw.<source>_<thing>.
    table: String,
    /// Files or globs (quote globs, so that the shell leaves them alone).
    #[arg(required = true, value_name = "FILES")]
    files: Vec<String>,
    /// A first, historical load: each row counts as known when it happened. Without it, from now on, unless
    /// the staging SQL takes the time from the source.
    #[arg(long)]
    history: bool,
    /// The files have no header line: these are their columns.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    columns: Option<Vec<String>>,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { table, files, history, columns, place, format } = arguments;
    let warehouse = context.open(&place).await?;
    let options = LoadOptions { history, columns, loaded_at: None };
    let report = pipeline::load(&warehouse, &table, &files, &options, &context.progress()).await?;
    print::report(format, &report, || {
        let skipped = report.skipped.iter().map(|file| format!("skipped {file}: loaded before\n")).collect::<String>();
        format!("{skipped}{table}: {} rows from {} files, snapshot {}\n", report.rows, report.files, report.snapshot)
    })
}
