use crate::context::{Context, Place, environment};
use crate::print::{self, Format};
use anyhow::{Result, bail};
use clap::Args;
use pipeline::{EraseOptions, EraseReport};
use std::io::{IsTerminal, Write};

/// Forget customers: take their rows out of every table, every older version and every published copy.
#[derive(Args)]
#[command(
    after_help = "Older snapshots and published versions stay readable, without the customers. The receipt, also in
audit.erasures, says what was removed from where, and which runs can't be repeated exactly any more; not whom it was about.

What is not reached: the files that were loaded (delete them yourself; a new file that brings a customer again is loaded
like any other, and so is an old one after a restore to before its load), models trained on the customers, and publish targets that --published does not name.

While it runs nobody else can write to the warehouse. If it is killed, run it again: it finishes what was begun.

Examples:
  perennial erase --customer 17850 --dry-run
  perennial erase --customer 17850 --published ./published --yes"
)]
pub struct Arguments {
    /// The customer_id; may be given several times.
    #[arg(long = "customer", value_name = "ID", required = true)]
    customers: Vec<String>,
    /// Only say what would go, from where.
    #[arg(long)]
    dry_run: bool,
    /// Don't ask.
    #[arg(long)]
    yes: bool,
    /// Folder or URL that the warehouse was published to; may be given several times. Default: what perennial.toml says.
    #[arg(long, value_name = "URL")]
    published: Vec<String>,
    #[command(flatten)]
    place: Place,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { customers, dry_run, yes, mut published, place, format } = arguments;
    let warehouse = context.open(&place).await?;
    if published.is_empty() {
        published.extend(context.published(&place, None)?);
    }
    if !dry_run && !yes && !is_confirmed(&customers, &warehouse)? {
        bail!("nothing was erased");
    }
    let owner = format!("process {}", std::process::id());
    let options = EraseOptions { customers, is_dry_run: dry_run, published, environment: environment(), owner };
    let report = pipeline::erase(&warehouse, &options, &context.progress()).await?;
    print::report(format, &report, || text(&report, dry_run))
}

/// Asks on a terminal; elsewhere nobody can answer.
fn is_confirmed(customers: &[String], warehouse: &pipeline::Warehouse) -> Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        bail!("this can't be undone: see what goes with --dry-run, then say --yes");
    }
    let (who, url) = (customers.join(", "), warehouse.store().url());
    print::status(&format!("Erase {who} from {url}, older versions included? This can't be undone. Type yes:"));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

fn text(report: &EraseReport, is_dry_run: bool) -> String {
    let EraseReport { receipt_id, erased_at: _, customers: _, finished, tables, published, runs, unsearched } = report;
    let mut text = String::new();
    if let Some(receipt) = finished {
        text += &format!("finished an erasure that was killed: receipt {receipt}\n");
    }
    let list = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
    let rows: Vec<Vec<String>> = (tables.iter().chain(published))
        .map(|t| vec![t.name.clone(), t.rows.to_string(), t.files.to_string(), list(&t.snapshots)])
        .collect();
    match rows.is_empty() {
        true => text += "no rows found\n",
        false => text += &print::columns(&["table", "rows", "files", "snapshots or versions"], &rows),
    }
    for run in runs {
        text += &format!("run {} can't be repeated exactly: snapshot {} held these rows\n", run.run_id, run.snapshot);
    }
    for table in unsearched {
        text += &format!("look at {} yourself: {}\n", table.name, table.why);
    }
    match (receipt_id, is_dry_run) {
        (Some(receipt), _) => text + &format!("receipt {receipt}\n"),
        (None, true) => text + "nothing was changed\n",
        (None, false) => text,
    }
}
