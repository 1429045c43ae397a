use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::RunLine;

/// List the runs of a task, or of all, newest first: which scores, and what its evaluation said.
///
/// The champion scores, and a newer run is a challenger until it is promoted. Without a champion the newest run scores.
#[derive(Args)]
#[command(after_help = "Examples:\n  perennial runs\n  perennial runs churn --format json")]
pub struct Arguments {
    /// A task's name; all without it.
    task: Option<String>,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { task, place, format } = arguments;
    let warehouse = context.open(&place).await?;
    let runs = pipeline::runs(&warehouse, task.as_deref()).await?;
    print::report(format, &runs, || {
        let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
        print::columns(
            &["task", "run", "role", "finished at (UTC)", "best epoch", "test cut-off", "there [95 %]"],
            &rows,
        )
    })
}

fn row(run: &RunLine) -> Vec<String> {
    let main = run.main.as_ref().map(|main| format!("{} {}", main.metric, main.value));
    vec![
        run.task.clone(),
        run.run_id.clone(),
        run.role.name().into(),
        run.finished_at.clone().unwrap_or_default(),
        run.best_epoch.map_or(String::new(), |epoch| epoch.to_string()),
        run.test_as_of.clone().unwrap_or_default(),
        main.unwrap_or_default(),
    ]
}
