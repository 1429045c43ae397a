use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::{DEFAULT_TRIALS, TuneOptions, TuneReport, number};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Search for better settings of a task over the ranges of its [tune].
///
/// The first trial is the task file as it is, the others draw at random. All are trained on the same data and judged at the
/// validation cut-off; the test cut-off stays unseen, and no trial ever scores. Finished trials are kept in models.trials, so
/// after Ctrl-C, or with more trials, the same command trains only what is missing. Put the lines it prints into the task file
/// and train.
#[derive(Args)]
#[command(after_help = "Examples:
  perennial tune churn
  perennial tune models/mine.toml --trials 50 --seed 2 --device cuda
  perennial sql \"SELECT trial, value, settings FROM models.trials WHERE metric = 'loss' ORDER BY value\"

In the task file:
  [tune]
  learning_rate = { from = 5e-4, to = 5e-3, log = true }
  epochs = { from = 4, to = 12 }
  dropout = [0.0, 0.1, 0.2]
  width = [32, 64]")]
pub struct Arguments {
    /// A shipped task (churn, next_purchase, clv) or a task file.
    task: String,
    /// How many trials, the file as it is among them.
    #[arg(long, default_value_t = DEFAULT_TRIALS as u64, value_parser = clap::value_parser!(u64).range(1..))]
    trials: u64,
    /// Decides the draws; the trainings have the task file's seed.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// cpu, cuda or auto; overrides the task file.
    #[arg(long)]
    device: Option<String>,
    /// Where a trial lies while it is trained.
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { task, trials, seed, device, work, place, format } = arguments;
    let task = context.task(&place, &task)?;
    let warehouse = context.open(&place).await?;
    let (work, interrupted) = (super::work(work)?, context.interrupted());
    let options = TuneOptions { trials: trials as usize, seed, device, work, interrupted };
    let report = pipeline::tune(&warehouse, &task, &options, &context.progress()).await?;
    print::report(format, &report, || text(&report))
}

/// The trials, best first, and the best one's lines.
fn text(report: &TuneReport) -> String {
    let TuneReport { task, valid_as_of, seed: _, trials, lines } = report;
    let settings: BTreeSet<&str> = trials.iter().flat_map(|trial| trial.settings.keys()).map(String::as_str).collect();
    let metrics: BTreeSet<&str> = trials.iter().flat_map(|trial| trial.metrics.keys()).map(String::as_str).collect();
    let mut header = vec!["trial"];
    header.extend(&settings);
    header.extend(["best epoch", "loss"]);
    header.extend(&metrics);
    let rows: Vec<Vec<String>> = trials
        .iter()
        .map(|trial| {
            let mut row = vec![trial.trial.to_string()];
            row.extend(
                settings.iter().map(|name| trial.settings.get(*name).map_or(String::new(), ToString::to_string)),
            );
            row.push(trial.best_epoch.map_or(String::new(), |epoch| format!("{epoch} of {}", trial.epochs)));
            row.push(trial.loss.map_or("no number".into(), number));
            row.extend(
                metrics.iter().map(|name| trial.metrics.get(*name).map_or(String::new(), |value| number(*value))),
            );
            row
        })
        .collect();
    let best = match lines {
        Some(lines) => format!("for the task file of {task}, then perennial train {task}:\n\n{lines}"),
        None => format!("the task file of {task}, trial 1, is the best as it is\n"),
    };
    let judged =
        format!("{task} at the validation cut-off {valid_as_of}, best first; trial 1 is the task file as it is\n");
    judged + &print::columns(&header, &rows) + "\n" + &best
}
