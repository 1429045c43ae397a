use crate::context::{Context, Place, environment};
use crate::print::{self, Format};
use anyhow::{Context as _, Result};
use clap::Args;
use pipeline::{RunOptions, RunReport};
use std::path::PathBuf;

/// The nightly command: load what is new, build, check, train where due, score, publish, as perennial.toml says.
///
/// A task is scored by its champion (perennial promote), or by its newest run where none was promoted; what a night trains
/// is a challenger then, and the summary says that it waits.
///
/// After a failure the summary says what was done, and the same command goes on from there. Exit code 0: everything
/// done. 3: a check of severity error failed, so nothing was trained, scored or published; quality.failures has the rows.
#[derive(Args)]
#[command(after_help = "Example (crontab):\n  0 3 * * *  perennial run --project /srv/shop --quiet")]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Where a training run lies until it is finished.
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub async fn run(arguments: Arguments, context: &Context) -> Result<()> {
    let Arguments { place, work, format } = arguments;
    let project = context
        .project(&place)?
        .with_context(|| format!("no {} here; --project names its folder", pipeline::project::FILE))?;
    let warehouse = context.open(&place).await?;
    let options =
        RunOptions { work: super::work(work)?, interrupted: context.interrupted(), environment: environment() };
    let mut report = RunReport::default();
    let outcome = pipeline::run(&warehouse, &project, &options, &context.progress(), &mut report).await;
    print::report(format, &report, || {
        let rows: Vec<Vec<String>> = report
            .steps
            .iter()
            .map(|s| vec![s.step.clone(), s.what.clone(), s.outcome.clone(), format!("{:.1} s", s.seconds)])
            .collect();
        print::columns(&["step", "what", "outcome", "time"], &rows)
    })?;
    Ok(outcome?)
}
