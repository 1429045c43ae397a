use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::{Judgement, Promotion};

/// Make a run the champion of its task: it scores, also in the nightly run, until another is promoted.
///
/// Until the first promotion a task's newest run scores. Training never promotes: a newer run is a challenger that waits.
/// Prints what the evaluations of the run and of the one that scored before said, where there are any.
#[derive(Args)]
#[command(after_help = "Examples:
  perennial runs churn
  perennial promote churn --reason 'AUC .88 instead of .85'
  perennial promote churn --run 01a21a38-4786-7094-822e-113910556d5e
  perennial sql 'SELECT * FROM models.champions ORDER BY promoted_at'")]
pub struct Arguments {
    /// A shipped task or a task file.
    task: String,
    /// The run to promote; the newest of the task without it.
    #[arg(long)]
    run: Option<String>,
    /// Why, for those who look later.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { task, run, reason, place, format } = arguments;
    let task = context.task(&place, &task)?;
    let warehouse = context.open(&place).await?;
    let promotion = pipeline::promote(&warehouse, &task, run.as_deref(), reason.as_deref()).await?;
    print::report(format, &promotion, || text(&promotion))
}

/// Which run scores now, beside the one before.
pub fn text(promotion: &Promotion) -> String {
    let Promotion { task, champion, is_changed, scores, before } = promotion;
    let mut text = match (champion, is_changed, scores) {
        (Some(run), true, _) => format!("run {run} is the champion of {task}\n"),
        (Some(run), false, _) => format!("run {run} is the champion of {task} already\n"),
        (None, _, Some(scores)) => format!("{task} has no champion: its newest run, {}, scores\n", scores.run_id),
        (None, _, None) => format!("{task} has no champion and no run\n"),
    };
    let judged: Vec<(&str, &Judgement)> = [("now", scores), ("before", before)]
        .into_iter()
        .filter_map(|(when, run)| Some((when, run.as_ref()?)))
        .collect();
    let mut metrics: Vec<&str> = judged.iter().flat_map(|(_, run)| &run.metrics).map(|m| m.metric.as_str()).collect();
    metrics.sort_unstable();
    metrics.dedup();
    if !metrics.is_empty() {
        let of = |run: &Judgement, metric: &str| {
            let measured = run.metrics.iter().find(|measured| measured.metric == metric);
            measured.map_or(String::new(), |measured| measured.value.to_string())
        };
        let heads: Vec<String> = judged
            .iter()
            .map(|(when, run)| format!("{when}, at {}", run.test_as_of.as_deref().unwrap_or_default()))
            .collect();
        let row = |metric: &&str| {
            let values = judged.iter().map(|(_, run)| of(run, metric));
            std::iter::once(metric.to_string()).chain(values).collect::<Vec<_>>()
        };
        let header: Vec<&str> = std::iter::once("metric").chain(heads.iter().map(String::as_str)).collect();
        text += &print::columns(&header, &metrics.iter().map(row).collect::<Vec<_>>());
    }
    for (_, run) in judged.iter().filter(|(_, run)| run.metrics.is_empty()) {
        text += &format!("not judged yet: perennial evaluate {task} --run {}\n", run.run_id);
    }
    text
}
