//! The `perennial` command: parses arguments, calls one function of `pipeline` per verb, prints.

mod commands;
mod context;
mod print;

use clap::Parser;
use commands::Command;
use context::Context;
use std::process::ExitCode;
use std::sync::Arc;

/// Embedded analytical store and batch model trainer for customer data: who is leaving, what do they buy next, what are they worth.
#[derive(Parser)]
#[command(name = "perennial", version, arg_required_else_help = true, after_help = EXAMPLES, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// No progress bars.
    #[arg(long, short, global = true)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  perennial init ./shop
  perennial load raw.cdnow_transactions CDNOW_master.txt --history --warehouse ./shop
  perennial build --warehouse ./shop
  perennial sql 'SELECT * FROM features.customer LIMIT 5' --warehouse ./shop
  perennial train churn --warehouse ./shop
  perennial run --project .";

/// Exit code for work that was interrupted, as shells have it: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let Cli { command, quiet } = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return print::error(&error.into()),
    };
    let context = Arc::new(Context::new(quiet));
    // The work has a task of its own, so that Ctrl-C is heard while it computes.
    let work = runtime.spawn({
        let context = context.clone();
        async move { command.run(&context).await }
    });
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = work => outcome.unwrap_or_else(|panic| Err(panic.into())),
            () = context.abandoned() => Err(pipeline::Error::Interrupted.into()),
        }
    });
    // What is still running must not keep the process: what it wrote becomes visible only when committed.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match (print::error(&error), error.downcast_ref()) {
            (_, Some(pipeline::Error::Interrupted)) => ExitCode::from(INTERRUPTED),
            (code, _) => code,
        },
    }
}
