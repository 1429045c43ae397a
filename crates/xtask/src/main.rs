//! The commands of the README: `cargo xtask demo` and `cargo xtask test`, each with all the set-up it needs, and the soak.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod demo;
mod libtorch;
mod soak;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What a step gives: nothing, or what went wrong in words for a person.
type Outcome = Result<(), String>;

const USAGE: &str = "usage: cargo xtask <command>

  setup                        fetch libtorch (or use LIBTORCH) and tell cargo where it is
  demo [--customers N] [--dir DIR]
                               simulate a shop, then load, build, train, evaluate, score and publish it
  soak [--rounds N]            kill every verb at random moments, N times (300), and see that nothing is lost
  test [ARGS]                  set up, build everything and run every test; ARGS go to `cargo test`
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let workspace = workspace();
    let outcome = match arguments.first().map(String::as_str) {
        Some("setup") => libtorch::ensure(&workspace),
        Some("demo") => libtorch::ensure(&workspace).and_then(|()| demo::run_all(&workspace, &arguments[1..])),
        Some("soak") => libtorch::ensure(&workspace).and_then(|()| soak::soak(&workspace, &arguments[1..])),
        Some("test") => libtorch::ensure(&workspace).and_then(|()| test(&workspace, &arguments[1..])),
        Some("--help" | "-h") => {
            print!("{USAGE}");
            Ok(())
        }
        Some(other) => Err(format!("no command `{other}`\n\n{USAGE}")),
        None => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn test(workspace: &Path, arguments: &[String]) -> Outcome {
    run(cargo(workspace).args(["test", "--workspace"]).args(arguments))
}

fn workspace() -> PathBuf {
    // Not the folder in which this was compiled: clones that share a target folder share this binary.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&manifest).ancestors().nth(2).expect("crates/xtask lies two folders below the workspace").to_path_buf()
}

fn cargo(workspace: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The outer cargo set LIBTORCH for us; the inner one reads it from .cargo/libtorch.toml as it is now.
    command.current_dir(workspace).env_remove("LIBTORCH");
    // The outer cargo describes this package in the environment. Build scripts that watch those variables (ring's does)
    // would run again, and all of DataFusion with them, whenever `cargo xtask` and plain `cargo` take turns.
    let of_this_package = |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_this_package)) {
        command.env_remove(name);
    }
    command
}

fn python() -> &'static str {
    "python3"
}

fn run(command: &mut Command) -> Outcome {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} failed: {status}")),
        Err(error) => Err(format!("cannot run {program}: {error}")),
    }
}
