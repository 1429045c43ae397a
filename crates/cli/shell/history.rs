//! Defines [`History`], the lines entered before, kept in the user's state folder.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// Lines kept from one shell to the next.
const KEPT: usize = 1000;

#[derive(Default)]
pub struct History {
    lines: Vec<String>,
    /// None: nothing is kept.
    file: Option<PathBuf>,
}

impl History {
    /// The lines in `file`, none if it can't be read.
    pub fn open(file: Option<PathBuf>) -> History {
        let text = file.as_ref().and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(String::from).collect();
        let newest = lines[lines.len().saturating_sub(KEPT)..].to_vec();
        History { lines: newest, file }
    }

    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn get(&self, entry: usize) -> Option<&str> {
        self.lines.get(entry).map(String::as_str)
    }

    /// Adds a line unless it repeats the one before.
    pub fn add(&mut self, line: &str) {
        if line.trim().is_empty() || self.lines.last().is_some_and(|last| last == line) {
            return;
        }
        self.lines.push(line.to_string());
        // A history that can't be kept is no reason to stop.
        let _ = self.append(line);
    }

    fn append(&self, line: &str) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        // Queries may name customers.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(file)?.write_all(format!("{line}\n").as_bytes())
    }
}
