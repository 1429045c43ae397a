use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::{ExplainOptions, ExplainedInput, Explanation, Grouping, Needed};

/// Say what a churn or clv model goes by: what it loses at its test cut-off once inputs are those of other customers, and
/// which features it could do without. Every number goes to models.importance.
///
/// Shuffled together are all events, aggregates or features, each field of the events, the features of each view that the
/// task's view reads, and each aggregate and feature alone. What two features share, either can stand in for: alone each
/// looks needless, and the last table pairs those that rank customers alike.
///
/// Why one customer's score is what it is, perennial score --reasons writes.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  perennial explain churn\n  perennial explain clv --repeats 10 --customers 20000 --format json"
)]
pub struct Arguments {
    /// A shipped task (churn, clv) or a task file.
    task: String,
    /// The run to explain; the newest of the task without it.
    #[arg(long)]
    run: Option<String>,
    /// How often each group of inputs is shuffled.
    #[arg(long, default_value_t = pipeline::DEFAULT_REPEATS as u64, value_parser = clap::value_parser!(u64).range(2..))]
    repeats: u64,
    /// How many customers of the test cut-off to measure on; of more, every n-th.
    #[arg(long, default_value_t = pipeline::DEFAULT_EXPLAINED as u64, value_parser = clap::value_parser!(u64).range(1..))]
    customers: u64,
    /// How many single inputs are shown.
    #[arg(long, default_value_t = 15, value_name = "N")]
    top: usize,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { task, run, repeats, customers, top, place, format } = arguments;
    let task = context.task(&place, &task)?;
    let warehouse = context.open(&place).await?;
    let options = ExplainOptions { run, repeats: repeats as usize, customers: customers as usize };
    let explanation = pipeline::explain(&warehouse, &task, &options, &context.progress()).await?;
    print::report(format, &explanation, || text(&explanation, top))
}

fn text(explanation: &Explanation, top: usize) -> String {
    let Explanation { task, run_id, as_of, customers, repeats, metrics, inputs, .. } = explanation;
    let [metric, loss] = metrics;
    let values = metrics.each_ref().map(|m| format!("{} {}", m.metric, pipeline::number(m.value))).join(", ");
    let mut text = format!("{task} · run {run_id} · each input shuffled {repeats} times\n");
    text += &format!("{customers} customers at {as_of}: {values}\n");
    let header = |what: &'static str| [what, "of", &metric.metric, &loss.metric].map(str::to_owned);
    let (singles, groups): (Vec<_>, Vec<_>) = inputs.iter().partition(|input| input.grouping == Grouping::Single);
    for (what, shown) in [("inputs together", groups), ("single input", singles.iter().take(top).copied().collect())] {
        let rows: Vec<Vec<String>> = shown.iter().map(|input| row(input)).collect();
        text += &format!("\n{}", print::columns(&header(what).each_ref().map(String::as_str), &rows));
    }
    text + &selection(&singles, &loss.metric)
}

fn row(input: &ExplainedInput) -> Vec<String> {
    let needed = |Needed { mean, deviation }: Needed| format!("{mean:.5} ± {deviation:.5}");
    let group = input.group.clone().unwrap_or_default();
    vec![input.input.clone(), group, needed(input.importance[0]), needed(input.importance[1])]
}

/// Which single inputs the model could do without.
fn selection(singles: &[&ExplainedInput], loss: &str) -> String {
    let useless: Vec<&str> = singles.iter().filter(|i| i.is_useless == Some(true)).map(|i| i.input.as_str()).collect();
    let judged = singles.iter().filter(|input| input.is_useless.is_some()).count();
    let mut text = format!("\n{} of {judged} aggregates and features are useless: ", useless.len());
    text += &format!("without each alone, {loss} is the same as far as can be told\n");
    if !useless.is_empty() {
        text += &format!("{}\n", useless.join(", "));
    }
    let redundant = singles.iter().filter_map(|input| {
        let found = input.redundancy.as_ref()?;
        Some(vec![input.input.clone(), input.group.clone()?, found.with.clone(), format!("{:.4}", found.correlation)])
    });
    let redundant: Vec<Vec<String>> = redundant.collect();
    if !redundant.is_empty() {
        text += &format!(
            "\n{}",
            print::columns(&["redundant", "of", "says the same as", "correlation of ranks"], &redundant)
        );
    }
    text
}
