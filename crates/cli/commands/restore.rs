use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;
use pipeline::RestoreReport;

/// Make the warehouse read as an older snapshot again, as a new snapshot on top: nothing is deleted, and restoring the
/// snapshot of before undoes it. Files loaded since count as never loaded: the next load or run takes them in again.
#[derive(Args)]
#[command(after_help = "Examples:\n  perennial history\n  perennial restore 12")]
pub struct Arguments {
    /// Its number, as `perennial history` lists it.
    snapshot: u64,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { snapshot, place, format } = arguments;
    let warehouse = context.open(&place).await?;
    let report = pipeline::restore(&warehouse, snapshot, &context.progress()).await?;
    print::report(format, &report, || {
        let RestoreReport { restored, snapshot, before, tables } = &report;
        match snapshot == before {
            true => format!("snapshot {snapshot} reads as snapshot {restored} already; nothing was changed\n"),
            false => {
                let changes = super::history::changes(tables);
                let changes = if changes.is_empty() { changes } else { changes + "\n" };
                format!(
                    "{changes}snapshot {snapshot} reads as snapshot {restored}; perennial restore {before} undoes this\n"
                )
            }
        }
    })
}
