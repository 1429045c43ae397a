//! One file a verb: its arguments, the one function of `pipeline` it calls, and what it prints.

use crate::context::{Context, user_folder};
use anyhow::{Result, bail};
use clap::Subcommand;
use pipeline::BuildReport;
use std::path::PathBuf;

/// Declares each verb's module, its variant and its dispatch, so that the list exists once.
macro_rules! verbs {
    ($($(#[$attribute:meta])* $module:ident $name:ident),* $(,)?) => {
        $($(#[$attribute])* pub mod $module;)*

        #[derive(Subcommand)]
        pub enum Command {
            $($(#[$attribute])* $name($module::Arguments),)*
        }

        impl Command {
            pub async fn run(self, context: &Context) -> Result<()> {
                match self {
                    $($(#[$attribute])* Command::$name(arguments) => $module::run(arguments, context).await,)*
                }
            }

            /// As a user types it.
            pub fn verb(&self) -> String {
                match self {
                    $($(#[$attribute])* Command::$name(_) => stringify!($module).replace('_', "-"),)*
                }
            }
        }
    };
}

verbs! {
    init Init,
    source Source,
    load Load,
    build Build,
    check Check,
    optimize Optimize,
    history History,
    restore Restore,
    vacuum Vacuum,
    doctor Doctor,
    erase Erase,
    sql Sql,
    describe Describe,
    lineage Lineage,
    features Features,
    #[cfg(feature = "train")]
    train Train,
    #[cfg(feature = "train")]
    tune Tune,
    #[cfg(feature = "train")]
    evaluate Evaluate,
    #[cfg(feature = "train")]
    backtest Backtest,
    #[cfg(feature = "train")]
    explain Explain,
    score Score,
    #[cfg(feature = "train")]
    monitor Monitor,
    #[cfg(feature = "train")]
    runs Runs,
    #[cfg(feature = "train")]
    promote Promote,
    #[cfg(feature = "train")]
    rollback Rollback,
    publish Publish,
    run Run,
    simulate Simulate,
    #[cfg(feature = "train")]
    leave_one_out LeaveOneOut,
}

impl Command {
    /// Whether it computes with libtorch.
    #[cfg(feature = "train")]
    pub fn runs_models(&self) -> bool {
        use Command::{Backtest, Evaluate, Explain, LeaveOneOut, Run, Score, Train, Tune};
        matches!(self, Train(_) | Tune(_) | Evaluate(_) | Backtest(_) | Explain(_) | Score(_) | Run(_) | LeaveOneOut(_))
    }
}

/// Where training runs lie until they are finished: the given folder, or one in the user's cache.
fn work(given: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(folder) = given {
        return Ok(folder);
    }
    match user_folder("XDG_CACHE_HOME", ".cache") {
        Some(cache) => Ok(cache.join("training")),
        None => bail!("neither XDG_CACHE_HOME nor HOME is set; say where training may work with --work DIR"),
    }
}

/// What a build did, a line a table, and what it left out.
fn build_text(report: &BuildReport) -> String {
    let staged: Vec<Vec<String>> =
        report.staged.iter().map(|s| vec![format!("{}/{}", s.source, s.table), s.rows.to_string()]).collect();
    let mut text = match staged.is_empty() {
        true => "nothing new to build\n".to_string(),
        false => crate::print::columns(&["staging", "rows added"], &staged),
    };
    if !report.set_aside.is_empty() {
        let rows: Vec<Vec<String>> = report
            .set_aside
            .iter()
            .map(|s| vec![format!("{}/{}", s.source, s.table), s.rows.to_string(), s.reason.clone()])
            .collect();
        text.push('\n');
        text.push_str(&crate::print::columns(&["set aside from", "rows", "why"], &rows));
    }
    for skipped in report.skipped.iter().filter(|skipped| skipped.is_in_use) {
        text.push_str(&format!("sql/{} did not run: {}\n", skipped.file, skipped.reason));
    }
    for table in &report.unread {
        text.push_str(&format!("{table} goes nowhere: no sql/staging/<source>/<core table>.sql reads it\n"));
    }
    text + &format!("snapshot {}\n", report.snapshot)
}
