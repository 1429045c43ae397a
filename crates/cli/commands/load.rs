use crate::context::{Context, Place, environment};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::{LoadOptions, LoadReport, LoadedColumn, Source};
use std::path::PathBuf;

/// Load CSV, NDJSON or Parquet files into a raw table, all or nothing. Files loaded before are skipped. Text may be
/// compressed (.gz, .zst).
#[derive(Args)]
#[command(after_help = "Examples:
  perennial load raw.shop_orders 'export/orders-*.csv.gz' --history
  perennial load raw.shop_events 's3://bucket/drop/*.ndjson.zst'
  perennial load raw.till_receipts receipts.csv --encoding gb18030 --dry-run
  perennial load raw.till_receipts receipts.csv --schema types.toml --max-rejects 100
  perennial load raw.cdnow_sample CDNOW_sample.txt --columns master_id,id,date,cds,dollars

The types file has a line for each column whose type is not to be told from its values:
  receipt = \"VARCHAR\"")]
pub struct Arguments {
    /// The table, raw.<source>_<thing>.
    table: String,
    #[command(flatten)]
    form: Form,
    /// Show columns, types and rejects, and load nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Files and what they do not say of themselves.
#[derive(Args)]
pub struct Form {
    /// Files, folders or globs, here or as URLs (quote globs, so that the shell leaves them alone).
    #[arg(required = true, value_name = "FILES")]
    files: Vec<String>,
    /// A first, historical load: each row counts as known when it happened. Without it, from now on, unless
    /// the staging SQL takes the time from the source.
    #[arg(long)]
    history: bool,
    /// The files have no header line: these are their columns.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    columns: Option<Vec<String>>,
    /// What is between fields: a character or "tab". Default: told from the first line.
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<String>,
    /// What is around fields that hold delimiters or line ends: a character or "none". Default: ".
    #[arg(long, value_name = "CHARACTER")]
    quote: Option<String>,
    /// Encoding of text, such as gb18030 or latin1. Default: UTF-8, or what a byte order mark says.
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// A TOML file with types of columns (BOOLEAN, BIGINT, DOUBLE, VARCHAR, DATE, TIMESTAMP) that count more
    /// than their values.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Rows that may go to quality.rejects because they don't parse or don't fit the table. With more, nothing is
    /// loaded. Default: 0.
    #[arg(long, value_name = "N")]
    max_rejects: Option<u64>,
}

impl Form {
    /// As a project has it, for a table to be named.
    pub fn source(self) -> Result<Source> {
        let Form { files, history, columns, delimiter, quote, encoding, schema, max_rejects } = self;
        let schema = schema.as_deref().map(pipeline::read_schema).transpose()?.unwrap_or_default();
        Ok(Source { table: String::new(), files, history, columns, delimiter, quote, encoding, max_rejects, schema })
    }
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { table, form, dry_run, place, format } = arguments;
    let source = form.source()?;
    let options = LoadOptions { dry_run, environment: environment(), ..source.load_options() };
    let warehouse = context.open(&place).await?;
    let report = pipeline::load(&warehouse, &table, &source.files, &options, &context.progress()).await?;
    print::report(format, &report, || text(&report, dry_run))
}

fn text(report: &LoadReport, dry_run: bool) -> String {
    let LoadReport { table, files, rows, rejects, first_rejects, skipped, columns, is_new_schema, snapshot } = report;
    let mut text: String = skipped.iter().map(|file| format!("skipped {file}: loaded before\n")).collect();
    if dry_run || *is_new_schema {
        let data_type = |c: &LoadedColumn| match &c.file_type {
            Some(file_type) => format!("{} from {}", c.data_type, print::short(file_type)),
            None => c.data_type.clone(),
        };
        let row = |c: &LoadedColumn| {
            vec![c.name.clone(), data_type(c), print::short(c.example.as_deref().unwrap_or("")), c.nulls.to_string()]
        };
        let rows: Vec<Vec<String>> = columns.iter().map(row).collect();
        text += &print::columns(&["column", "type", "example", "NULLs"], &rows);
        text.push('\n');
    }
    if *rejects > 0 {
        text += &format!("{rejects} rows rejected{}\n", if dry_run { "" } else { ", see quality.rejects" });
        text.extend(first_rejects.iter().map(|reject| format!("  {reject}\n")));
    }
    text + &match dry_run {
        true => format!("{table}: {rows} rows from {files} files would be loaded; nothing was changed\n"),
        false => format!("{table}: {rows} rows from {files} files, snapshot {snapshot}\n"),
    }
}
