use crate::context::{Context, Place};
use crate::print::{self, Format};
use anyhow::Result;
use clap::Args;

/// Run the checks written in the headers of tables and views.
#[derive(Args)]
#[command(after_help = "Examples:\n  perennial check\n  perennial check core.orders features.rhythm")]
pub struct Arguments {
    /// Tables and views; all that have checks without it.
    names: Vec<String>,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { names, place, format } = arguments;
    let warehouse = context.open(&place).await?;
    let checks = pipeline::check(&warehouse, &names, &context.progress()).await?;
    print::report(format, &checks, || {
        let rows: Vec<Vec<String>> =
            checks.iter().map(|c| vec![c.table.clone(), c.rule.clone(), c.failing.to_string()]).collect();
        print::columns(&["table", "check", "failing rows"], &rows)
    })?;
    Ok(pipeline::must_hold(&checks)?)
}
