//! The `perennial` command: parses arguments, calls one function of `pipeline` per verb, prints.

mod commands;
mod context;
mod memory;
mod print;
mod shell;

use clap::Parser;
use commands::Command;
use context::Context;
use mimalloc::MiMalloc;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// The system's allocator keeps what one thread frees from the others: it takes twice the memory that is in use.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

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
/// Exit code where a check of severity error failed or a model that scores has decayed: the work itself went well.
const CHECKS_FAILED: u8 = 3;
/// How long interrupted work may take to put away its temporary files.
const GRACE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let Cli { command, quiet } = Cli::parse();
    #[cfg(all(feature = "train", unix))]
    if command.runs_models() {
        calm_waiting_threads();
    }
    match interruptible(command, Arc::new(Context::new(quiet))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match (print::error(&error), error.downcast_ref()) {
            (_, Some(pipeline::Error::Interrupted { .. })) => ExitCode::from(INTERRUPTED),
            (_, Some(pipeline::Error::Checks(..) | pipeline::Error::Decayed { .. })) => ExitCode::from(CHECKS_FAILED),
            (code, _) => code,
        },
    }
}

/// Starts this program anew with libgomp told not to let its threads spin while they wait, which makes training many times
/// slower as soon as another process wants a core. It reads that when it is loaded, before `main`; a user's own choice
/// stays.
#[cfg(all(feature = "train", unix))]
fn calm_waiting_threads() {
    use std::os::unix::process::CommandExt;
    const SPIN: &str = "GOMP_SPINCOUNT";
    if [SPIN, "OMP_WAIT_POLICY"].iter().any(|name| std::env::var_os(name).is_some()) {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        // Only a failure comes back, and then the work is done as it is.
        let _ = std::process::Command::new(program).args(std::env::args_os().skip(1)).env(SPIN, "0").exec();
    }
}

/// Does the work until it is done or abandoned. A thread of its own listens for Ctrl-C: work that computes without a pause
/// can keep every thread of its runtime from listening. What is dropped puts its temporary files away at once.
fn interruptible(command: Command, context: Arc<Context>) -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let listening = Builder::new_current_thread().enable_all().build()?;
    let (abandon, abandoned) = oneshot::channel();
    let verb = command.verb();
    let interrupted = move || pipeline::Error::Interrupted { verb: verb.clone(), again: "run it again for the rest" };
    std::thread::spawn({
        let (context, interrupted) = (context.clone(), interrupted.clone());
        move || {
            listening.block_on(context.abandoned());
            let _ = abandon.send(());
            // For work that computes here and now, so that nobody can drop it.
            std::thread::sleep(2 * GRACE);
            print::error(&interrupted().into());
            std::process::exit(INTERRUPTED.into())
        }
    });
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = command.run(&context) => outcome,
            Ok(()) = abandoned => Err(interrupted().into()),
        }
    });
    // What is still running must not keep the process: what it wrote becomes visible only when committed.
    runtime.shutdown_timeout(GRACE);
    outcome
}
