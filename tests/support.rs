//! A fresh folder and the real binary in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A temporary folder in which commands run. Training works inside it as well.
pub struct Folder {
    folder: TempDir,
    /// Settings of the commands.
    environment: Vec<(&'static str, String)>,
}

/// Settings of object stores that commands have only where a test says so.
const SETTINGS: [&str; 4] = ["AWS_", "AZURE_", "AZURITE_", "GOOGLE_"];

impl Folder {
    pub fn new() -> Folder {
        Folder { folder: tempfile::tempdir().expect("a temporary folder"), environment: Vec::new() }
    }

    /// With an environment variable for every command.
    pub fn with(mut self, name: &'static str, value: &str) -> Folder {
        self.environment.push((name, value.to_owned()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The command, not yet run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_perennial"));
        command.current_dir(self.folder.path()).args(arguments).arg("--quiet");
        command.env("XDG_CACHE_HOME", self.path("cache")).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| SETTINGS.iter().any(|prefix| name.starts_with(prefix))) {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs")
    }

    /// Standard output of a command that must succeed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "perennial {}\n{error}", arguments.join(" "));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The error of a command that must fail cleanly: by an exit code of its own, with one error and no panic.
    pub fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code();
        assert!(matches!(code, Some(1 | 2)), "perennial {}: exit {code:?}\n{error}", arguments.join(" "));
        assert!(!error.contains("panicked"), "{error}");
        let errors = error.lines().filter(|line| line.starts_with("error:")).count();
        assert_eq!(errors, 1, "{error}");
        error
    }

    /// A query's rows as CSV without the header.
    pub fn sql(&self, warehouse: &str, query: &str) -> Vec<String> {
        let text = self.ok(&["sql", query, "--format", "csv", "--warehouse", warehouse]);
        text.lines().skip(1).map(String::from).collect()
    }
}

/// The real data sets. None: absent, which the caller says; with `CI=true` that is a failure.
pub fn shared_data(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{} is missing", path.display());
    eprintln!("skipped: {} is missing", path.display());
    None
}

/// An argument from a path.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
