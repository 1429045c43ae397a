use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::{Context as _, Result};
use clap::Args;
use pipeline::PublishOptions;

/// Write marts and newest scores as plain Parquet for BI tools: a new version, switched to when it is whole.
#[derive(Args)]
#[command(after_help = "Example:\n  perennial publish s3://bucket/bi --warehouse ./shop")]
pub struct Arguments {
    /// Where to: a folder or a URL; what perennial.toml says without it.
    url: Option<String>,
    /// Also publish columns marked as personal data.
    #[arg(long)]
    personal_data: bool,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { url, personal_data, place, format } = arguments;
    let url = context
        .published(&place, url)?
        .context("no place to publish to: give a URL or set `publish` in perennial.toml")?;
    let warehouse = context.open(&place).await?;
    let options = PublishOptions { personal_data, environment: crate::context::environment() };
    let report = pipeline::publish(&warehouse, &url, &options, &context.progress()).await?;
    print::report(format, &report, || {
        let lines = report.tables.iter().map(|t| format!("{}: {} rows\n", t.name, t.rows)).collect::<String>();
        format!("{lines}published version {} of snapshot {} to {url}\n", report.version, report.snapshot)
    })
}
