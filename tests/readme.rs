//! The README is true: its shell blocks run, in the order in which a reader meets them, in one fresh folder.

#[cfg(feature = "train")]
use crate::support::{Folder, shared_data};
use std::path::Path;

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md")
}

/// Shell blocks (```sh … ```) of the README.
fn blocks(text: &str) -> Vec<&str> {
    text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("an end of the block")).collect()
}

#[test]
fn every_cargo_command_is_run_by_ci() {
    let ci = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).expect(".ci/run");
    let text = readme();
    let commands: Vec<&str> =
        blocks(&text).into_iter().flat_map(str::lines).filter(|l| l.starts_with("cargo ")).collect();
    assert!(commands.contains(&"cargo xtask demo") && commands.contains(&"cargo xtask test"), "{commands:?}");
    for command in commands {
        let command = command.split('#').next().unwrap_or("").trim();
        assert!(ci.contains(command), "`{command}` is in the README and not in .ci/run");
    }
}

#[cfg(feature = "train")]
#[test]
fn every_other_command_works() {
    let Some(data) = shared_data("") else { return };
    let folder = Folder::new();
    #[cfg(unix)]
    std::os::unix::fs::symlink(data.canonicalize().expect("a folder"), folder.path("data")).expect("a link");
    let binary = Path::new(env!("CARGO_BIN_EXE_perennial")).parent().expect("a folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").expect("PATH"));
    let text = readme();
    let scripts: Vec<&str> = blocks(&text).into_iter().filter(|block| block.contains("perennial ")).collect();
    assert!(scripts.len() >= 3, "{} blocks", scripts.len());
    for script in scripts {
        let mut command = std::process::Command::new("bash");
        command.args(["-euo", "pipefail", "-c", script]).current_dir(folder.path(""));
        command.env("PATH", &path).env("XDG_CACHE_HOME", folder.path("cache"));
        let output = command.output().expect("bash runs");
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
