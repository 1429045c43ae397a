use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;

/// Undo the newest promotion of a task: the champion before it scores again, or the newest run where there was none.
///
/// Each rollback goes one champion further back. Scores stay; insights.newest_scores and marts.customer_360 show those of
/// the champion where a cut-off has several, so score again for a cut-off that it has not scored.
#[derive(Args)]
#[command(
    after_help = "Example:\n  perennial rollback churn --reason 'too many false alarms' && perennial score churn"
)]
pub struct Arguments {
    /// A shipped task or a task file.
    task: String,
    /// Why, for those who look later.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { task, reason, place, format } = arguments;
    let task = context.task(&place, &task)?;
    let warehouse = context.open(&place).await?;
    let promotion = pipeline::rollback(&warehouse, &task, reason.as_deref()).await?;
    print::report(format, &promotion, || super::promote::text(&promotion))
}
