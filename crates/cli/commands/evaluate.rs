use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::{EvaluateOptions, Evaluation, Interval};
use std::path::PathBuf;

/// Judge a run at its test cut-off, which training never saw, beside plain baselines.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  perennial evaluate churn\n  perennial evaluate clv --truth shop/truth   # a simulated shop knows the best possible score"
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
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { task, run, truth, place, format } = arguments;
    let task = context.task(&place, &task)?;
    let warehouse = context.open(&place).await?;
    let options = EvaluateOptions { run, truth };
    let evaluation = pipeline::evaluate(&warehouse, &task, &options, &context.progress()).await?;
    print::report(format, &evaluation, || text(&evaluation))
}

/// One line a metric and model, the difference to ours with its interval and what it says.
pub fn text(evaluation: &Evaluation) -> String {
    let rows: Vec<Vec<String>> = evaluation
        .rows
        .iter()
        .map(|row| {
            let difference = row.difference.as_ref().map_or(String::new(), interval);
            vec![row.metric.clone(), row.model.clone(), interval(&row.value), difference, row.verdict.clone()]
        })
        .collect();
    let table = print::columns(&["metric", "model", "value [95 %]", "ours minus it [95 %]", "verdict"], &rows);
    format!(
        "{} · run {} · {}\n{} customers at {}\n{table}",
        evaluation.task, evaluation.run_id, evaluation.protocol, evaluation.examples, evaluation.as_of
    )
}

pub fn interval(interval: &Interval) -> String {
    let Interval { estimate, low, high } = interval;
    format!("{} [{}, {}]", number(*estimate), number(*low), number(*high))
}

/// Four significant decimals for rates, none for sums.
pub fn number(value: f64) -> String {
    if value.abs() >= 1000.0 { format!("{value:.0}") } else { format!("{value:.4}") }
}
