use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::{Interval, MonitorLine, MonitorReport};

/// Compare past scores with what then happened, and customers with those that the model was tested on; what is new goes to
/// models.monitoring.
///
/// Of each run the first cut-off scored in a month is judged once its horizon is over, by the metrics of perennial
/// evaluate: decay says that the whole 95 % interval is worse than at the run's test cut-off. Meanwhile the population
/// stability index of every column of features.customer says how far customers have moved since: above .25 is drift. What
/// was measured before is not measured again.
///
/// Exit code 0: no model that scores has decayed. 3: the main metric (auc, spearman, ndcg@10) of one has, at its newest
/// cut-off; train and promote another run.
#[derive(Args)]
#[command(after_help = "Examples:
  perennial monitor
  perennial monitor churn --format json
  perennial sql \"SELECT as_of, value, low, high, test_value, flag FROM models.monitoring WHERE metric = 'auc'\"")]
pub struct Arguments {
    /// Names of tasks; all that a model scored without it.
    tasks: Vec<String>,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { tasks, place, format } = arguments;
    let warehouse = context.open(&place).await?;
    let report = pipeline::monitor(&warehouse, &tasks, &context.progress()).await?;
    print::report(format, &report, || text(&report))?;
    Ok(pipeline::must_not_decay(&report)?)
}

/// The metrics, the features that drifted, and a line about whatever has no number.
fn text(report: &MonitorReport) -> String {
    let (psi, metrics): (Vec<&MonitorLine>, Vec<&MonitorLine>) =
        report.lines.iter().partition(|line| line.feature.is_some());
    let mut text = String::new();
    if !metrics.is_empty() {
        let header = ["task", "run", "cut-off", "customers", "metric", "value [95 %]", "at the test", "flag"];
        text += &print::columns(&header, &metrics.iter().map(|line| metric_row(line)).collect::<Vec<_>>());
    }
    let drifted: Vec<Vec<String>> = psi.iter().filter(|line| line.flag.is_some()).map(|line| psi_row(line)).collect();
    if !drifted.is_empty() {
        text += &print::columns(&["task", "run", "cut-off", "feature", "psi", "flag"], &drifted);
    }
    if !psi.is_empty() {
        text += &format!("{} of {} features drifted\n", drifted.len(), psi.len());
    }
    for pending in &report.pending {
        let pipeline::Pending { task, run_id, as_of, known_from } = pending;
        text += &format!("{task}, run {run_id} at {as_of}: to be judged once data reach {known_from}\n");
    }
    for unjudged in &report.unjudged {
        let pipeline::Unjudged { task, run_id, as_of, problem } = unjudged;
        text += &format!("{task}, run {run_id} at {as_of}: not judged: {problem}\n");
    }
    if report.seen_in_training > 0 {
        let seen = report.seen_in_training;
        text += &format!(
            "{seen} cut-offs left out: they lie before their run's test cut-off, so training saw what followed\n"
        );
    }
    text + &format!("{} new numbers in models.monitoring\n", report.added)
}

fn metric_row(line: &MonitorLine) -> Vec<String> {
    let value =
        Interval { estimate: line.value, low: line.low.unwrap_or(line.value), high: line.high.unwrap_or(line.value) };
    vec![
        line.task.clone(),
        line.run_id.clone(),
        line.as_of.clone(),
        line.customers.to_string(),
        line.metric.clone(),
        value.to_string(),
        line.test_value.map_or(String::new(), pipeline::number),
        line.flag.clone().unwrap_or_default(),
    ]
}

fn psi_row(line: &MonitorLine) -> Vec<String> {
    vec![
        line.task.clone(),
        line.run_id.clone(),
        line.as_of.clone(),
        line.feature.clone().unwrap_or_default(),
        format!("{:.3}", line.value),
        line.flag.clone().unwrap_or_default(),
    ]
}
