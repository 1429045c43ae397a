use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;

/// Turn what was loaded into the core tables, by the SQL in sql/staging. Only new loads are read.
#[derive(Args)]
#[command(after_help = "Example:\n  perennial build --warehouse ./shop")]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { place, format } = arguments;
    let warehouse = context.open(&place).await?;
    let report = pipeline::build(&warehouse, &context.progress()).await?;
    print::report(format, &report, || super::build_text(&report))
}
