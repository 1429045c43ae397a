use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::{EvaluateOptions, Evaluation};
use std::path::PathBuf;

/// Judge a run at its test cut-off, which training never saw, beside plain baselines.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  perennial evaluate churn\n  perennial evaluate clv --truth shop/truth   # a simulated shop knows the best possible score\n  perennial evaluate churn --threshold 0.7\n  perennial evaluate churn --horizon-days 30\n  perennial evaluate churn --deciles --slices --html churn.html"
)]
pub struct Arguments {
    /// A shipped task or a task file.
    task: String,
    /// The run to judge; the newest of the task without it.
    #[arg(long)]
    run: Option<String>,
    /// Folder with a simulated shop's truth.
    #[arg(long, value_name = "DIR")]
    truth: Option<PathBuf>,
    /// How many days after the cut-off are looked at, where the model tells how long customers stay away (a churn task with
    /// model.periods above 1); the task's horizon without it.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    horizon_days: Option<u32>,
    /// Also precision, recall and F1 where those are approached whose probability is at least this.
    #[arg(long, value_name = "PROBABILITY")]
    threshold: Option<f64>,
    /// Also tenths of the customers by prediction: predicted, actual, lift and cumulative share.
    #[arg(long)]
    deciles: bool,
    /// Also new and known customers, thirds by earlier spend, and each channel of the last order, beside the best
    /// baseline of each.
    #[arg(long)]
    slices: bool,
    /// Also write it all as one HTML page with charts.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { task, run, truth, horizon_days, threshold, deciles, slices, html, place, format } = arguments;
    let task = context.task(&place, &task)?;
    let warehouse = context.open(&place).await?;
    let options = EvaluateOptions { run, truth, horizon_days, threshold, slices, html };
    let evaluation = pipeline::evaluate(&warehouse, &task, &options, &context.progress()).await?;
    print::report(format, &evaluation, || text(&evaluation, deciles))
}

/// What was judged, how its training went, and its tables; JSON holds the deciles in any case.
pub fn text(evaluation: &Evaluation, deciles: bool) -> String {
    let Evaluation { task, run_id, protocol, as_of, examples, shown, learning, .. } = evaluation;
    let mut text = format!("{task} · run {run_id} · {protocol}\n{examples} customers at {as_of}\n");
    text.extend(learning.iter().map(|learning| format!("training: {learning}\n")));
    text.extend(shown.iter().map(|shown| format!("lists: {shown}\n")));
    let tables = [Some(evaluation.metrics()), deciles.then(|| evaluation.deciles()), Some(evaluation.slices())];
    let tables = tables.into_iter().flatten().filter(|table| !table.rows.is_empty());
    let tables: Vec<String> = tables.map(|table| print::columns(&table.header, &table.rows)).collect();
    text + &tables.join("\n")
}
