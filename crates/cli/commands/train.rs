use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::TrainOptions;
use std::path::PathBuf;

/// Train a task's model: early stopping on a later cut-off, a checkpoint every epoch.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  perennial train churn\n  perennial train models/mine.toml --resume --device cuda\n  perennial train churn --from newest"
)]
pub struct Arguments {
    /// A shipped task (churn, next_purchase, clv) or a task file.
    task: String,
    /// Go on with this task's unfinished run from its last checkpoint.
    #[arg(long)]
    resume: bool,
    /// Go on from the weights of an earlier run on the data there are now: a run's id, newest or champion. New products get
    /// weights of their own; epochs_from of the task file says how many passes that takes.
    #[arg(long, value_name = "RUN")]
    from: Option<String>,
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
    let Arguments { task, resume, from, device, seed, work, place, format } = arguments;
    let task = context.task(&place, &task)?;
    let warehouse = context.open(&place).await?;
    let (work, interrupted) = (super::work(work)?, context.interrupted());
    let options = TrainOptions { resume, from, device, seed, work, interrupted };
    let run = pipeline::train(&warehouse, &task, &options, &context.progress()).await?;
    print::report(format, &run, || {
        let from = run.plan.from.as_ref().map_or(String::new(), |from| format!(", from run {from}"));
        format!(
            "run {} of {}{from}: best epoch {} of {}; next: perennial evaluate {}\n",
            run.run_id, run.task, run.best_epoch, run.epochs, run.task
        )
    })
}
