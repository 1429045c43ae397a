use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::{ScoreOptions, ScoredTable};

/// Score every customer who has ever completed an order with a task's model, or by its view, and append the scores as
/// tables.
///
/// The model is that of the task's champion (perennial promote), or of its newest run where none was promoted.
///
/// A task that names a view, as recommendations does, needs no training: the view's rows go to scores.<task>, after those
/// of models, which the view may read.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  perennial score churn next_purchase clv\n  perennial score recommendations\n  perennial score churn --as-of 2024-10-01\n  perennial score churn --reasons 5\n  perennial score churn --horizons 30,60,90\n  perennial score next_purchase --embeddings"
)]
pub struct Arguments {
    /// Shipped tasks or task files; churn, next_purchase and clv without it.
    #[arg(default_values_t = ["churn", "next_purchase", "clv"].map(String::from))]
    tasks: Vec<String>,
    /// Only what happened and was known before this date or time counts (UTC); by default everything loaded.
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
    /// The run to score with; without it each task's champion, or its newest run where none was promoted.
    #[arg(long)]
    run: Option<String>,
    /// How many products are written for each customer's next purchase.
    #[arg(long, default_value_t = pipeline::DEFAULT_TOP as u64, value_parser = clap::value_parser!(u64).range(1..))]
    top: u64,
    /// How many customers are in memory at once.
    #[arg(long, value_name = "N", default_value_t = pipeline::DEFAULT_CUSTOMERS_AT_ONCE as u64, value_parser = clap::value_parser!(u64).range(1..))]
    customers_at_once: u64,
    /// Also write, for each score of churn, clv and labels of your own, the N inputs that moved it most, to scores.churn_reasons,
    /// scores.clv_reasons and scores.outcome_reasons.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    reasons: Option<u64>,
    /// Also write the probability of buying nothing for each of these numbers of days, to scores.churn_horizons; the models must
    /// tell how long customers stay away (churn tasks with model.periods above 1).
    #[arg(long, value_name = "DAYS", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    horizons: Vec<u32>,
    /// Also write what the model has made of each customer, the numbers its answers are read off, to scores.embeddings, and
    /// where it ranks products theirs to models.product_embeddings.
    #[arg(long)]
    embeddings: bool,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { tasks, as_of, run, top, customers_at_once, reasons, horizons, embeddings, place, format } =
        arguments;
    let tasks = tasks.iter().map(|task| context.task(&place, task)).collect::<Result<Vec<_>>>()?;
    let warehouse = context.open(&place).await?;
    let options = ScoreOptions {
        as_of: as_of.as_deref().map(pipeline::parse_time).transpose()?,
        run,
        top: top as usize,
        customers_at_once: customers_at_once as usize,
        reasons: reasons.map(|most| most as usize),
        horizons,
        embeddings,
    };
    let report = pipeline::score(&warehouse, &tasks, &options, &context.progress()).await?;
    print::report(format, &report, || {
        let lines = report.tables.iter().map(|t| format!("{}: {} rows {}\n", t.table, t.rows, origin(t)));
        format!("{}as of {}, snapshot {}\n", lines.collect::<String>(), report.as_of, report.snapshot)
    })
}

fn origin(scored: &ScoredTable) -> String {
    match (&scored.run_id, &scored.view) {
        (Some(run), _) => format!("by run {run}"),
        (None, view) => format!("of {}", view.as_deref().unwrap_or_default()),
    }
}
