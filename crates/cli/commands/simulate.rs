use crate::context::Context;
use crate::print;
use anyhow::Result;
use clap::Args;
use pipeline::SimulateOptions;
use std::path::PathBuf;

/// Write the raw files of a shop whose truth is known, with a perennial.toml that loads them.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  perennial simulate --out shop\n  perennial simulate --customers 5000 --control --out control"
)]
pub struct Arguments {
    /// How many customers.
    #[arg(long, default_value_t = 20_000)]
    customers: u64,
    /// How long the shop is watched.
    #[arg(long, default_value_t = 24)]
    months: u32,
    /// The same seed gives the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The truth's horizon in days.
    #[arg(long, default_value_t = pipeline::DEFAULT_HORIZON_DAYS)]
    horizon: u32,
    /// A control shop that is exactly Pareto/NBD: no model can beat the textbook there.
    #[arg(long)]
    control: bool,
    /// Folder to make.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { customers, months, seed, horizon, control, out } = arguments;
    let options = SimulateOptions { customers, months, seed, horizon_days: horizon, control };
    let report = pipeline::simulate(&options, &out, &context.progress()).await?;
    for (file, rows) in &report {
        print::line(&format!("{file}: {rows} rows"))?;
    }
    let out = out.display();
    print::line(&format!("next: perennial init {out}/warehouse && perennial run --project {out}"))
}
