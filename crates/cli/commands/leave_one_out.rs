use crate::context::Context;
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::{LeaveOneOutOptions, Task};
use std::path::PathBuf;

/// Train and judge next-item prediction on a public interaction file: last item test, the one before it validation,
/// ranked against the whole catalogue with items already seen removed.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  perennial leave-one-out ml-1m.txt --epochs 5\n  perennial leave-one-out ml-100k.inter --no-times"
)]
pub struct Arguments {
    /// Lines `user item …`, in time order for each user; or tab-separated columns with a header that names `user_id`, `item_id`
    /// and `timestamp` (seconds), as RecBole's .inter files.
    file: PathBuf,
    /// The model; a task file or a shipped task.
    #[arg(long, default_value = "next_item")]
    task: String,
    /// Takes from a file that has times only the order.
    #[arg(long)]
    no_times: bool,
    /// Overrides the task file's epochs.
    #[arg(long)]
    epochs: Option<u32>,
    /// Overrides the task file's seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Where the run is left: weights, vocabulary, config, history.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folder whose models/ may hold the task.
    #[arg(long, short, default_value = ".", value_name = "DIR")]
    project: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { file, task, no_times, epochs, seed, out, project, format } = arguments;
    let task = Task::read(&task, &project)?;
    let options = LeaveOneOutOptions {
        in_order_only: no_times,
        epochs,
        seed,
        work: super::work(out)?,
        interrupted: context.interrupted(),
    };
    let evaluation = pipeline::leave_one_out(&file, &task, &options, &context.progress()).await?;
    print::report(format, &evaluation, || super::evaluate::text(&evaluation, false))
}
