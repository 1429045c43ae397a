use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::{Backtest, BacktestOptions, DEFAULT_ORIGINS, number};
use std::path::PathBuf;

/// Train and judge a task at several test cut-offs, each as if nothing after it were known.
///
/// The newest test cut-off is the one of evaluate; each earlier one has its own training and validation before it. Nothing is
/// scored by these trainings. Each is kept in models.backtests, so after Ctrl-C, or with more origins, the same command trains
/// only what is missing.
#[derive(Args)]
#[command(after_help = "Examples:
  perennial backtest churn
  perennial backtest clv --origins 6 --every-days 30
  perennial sql \"SELECT as_of, model, value FROM models.backtests WHERE metric = 'auc' ORDER BY ALL\"")]
pub struct Arguments {
    /// A shipped task (churn, next_purchase, clv) or a task file.
    task: String,
    /// How many test cut-offs.
    #[arg(long, default_value_t = DEFAULT_ORIGINS as u64, value_parser = clap::value_parser!(u64).range(1..))]
    origins: u64,
    /// Days between them; the task's horizon without it, so that no purchase is judged twice.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    every_days: Option<u32>,
    /// cpu, cuda or auto; overrides the task file.
    #[arg(long)]
    device: Option<String>,
    /// Overrides the task file's seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Where a model lies while it is trained and judged.
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { task, origins, every_days, device, seed, work, place, format } = arguments;
    let task = context.task(&place, &task)?;
    let warehouse = context.open(&place).await?;
    let (work, interrupted) = (super::work(work)?, context.interrupted());
    let options = BacktestOptions { origins: origins as usize, every_days, device, seed, work, interrupted };
    let backtest = pipeline::backtest(&warehouse, &task, &options, &context.progress()).await?;
    print::report(format, &backtest, || text(&backtest))
}

/// A column for each test cut-off.
fn text(backtest: &Backtest) -> String {
    let Backtest { task, protocol, every_days, origins, summary } = backtest;
    let mut header = vec!["metric", "model", "mean"];
    header.extend(origins.iter().map(|origin| origin.as_of.as_str()));
    header.extend(["ours minus it", "ours is better at", "worse at"]);
    let rows: Vec<Vec<String>> = summary
        .iter()
        .map(|line| {
            let mut row = vec![line.metric.clone(), line.model.clone(), number(line.mean)];
            row.extend(line.values.iter().map(|value| value.map_or(String::new(), number)));
            row.extend(match line.mean_difference {
                Some(difference) => [number(difference), line.better.to_string(), line.worse.to_string()],
                None => Default::default(),
            });
            row
        })
        .collect();
    let customers: Vec<String> = origins.iter().map(|origin| origin.examples.to_string()).collect();
    let count = origins.len();
    format!(
        "{task} · rolling origin, {count} test cut-offs every {every_days} days · {protocol}\n{} customers\n{}",
        customers.join(", "),
        print::columns(&header, &rows)
    )
}
