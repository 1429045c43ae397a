use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::TrainOptions;
use std::path::PathBuf;

/// Train a task's model: early stopping on a later cut-off, a checkpoint every epoch.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  perennial train churn\n  perennial train models/mine.toml --resume --device cuda"
)]
pub struct Arguments {
    /// A shipped task (churn, next_purchase, clv) or a task file.
    task: String,
    /// Go on with this task's unfinished run from its last checkpoint.
    #[arg(long)]
    resume: bool,
    /// cpu, cuda or auto; overrides the task file.
    #[arg(long)]
    device: Option<String>,
    /// Overrides the task file's seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Where the run lies until it is finished.
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { task, resume, device, seed, work, place, format } = arguments;
    let task = context.task(&place, &task)?;
    let warehouse = context.open(&place).await?;
    let options = TrainOptions { resume, device, seed, work: super::work(work)?, interrupted: context.interrupted() };
    let run = pipeline::train(&warehouse, &task, &options, &context.progress()).await?;
    print::report(format, &run, || {
        format!(
            "run {} of {}: best epoch {} of {}; next: perennial evaluate {}\n",
            run.run_id, run.task, run.best_epoch, run.epochs, run.task
        )
    })
}
