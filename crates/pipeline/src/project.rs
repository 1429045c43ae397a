//! A project: `perennial.toml` and the `sql/` and `models/` beside it, which add to or override the shipped ones.

use crate::error::{Error, Result};
use crate::task::Task;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use warehouse::LoadOptions;

/// Name of the file that makes a folder a project.
pub const FILE: &str = "perennial.toml";

/// `perennial.toml`. Relative paths start at its folder.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Root of the warehouse: a folder or a URL.
    pub warehouse: String,
    /// Where marts and scores are published: a folder or a URL. None: nothing is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<String>,
    /// Tables and views whose checks must hold before anything is trained, as far as their severity is error.
    #[serde(default)]
    pub checks: Vec<String>,
    /// What is loaded, in this order.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// What is trained and scored, in this order.
    #[serde(default)]
    pub tasks: Vec<TaskRule>,
}

/// Files that belong in one raw table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The table, `raw.<source>_<thing>`.
    pub table: String,
    /// Files, folders or globs, of this machine or as URLs. What was loaded before is skipped.
    pub files: Vec<String>,
    /// The rows were known when they happened, not when they are loaded.
    #[serde(default)]
    pub history: bool,
    /// The files have no header line: these are their columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// The character between fields, or `tab`. None: told from the first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// The character around fields, or `none`. None: `"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// Encoding of the text. None: UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Rows of a night that may go to `quality.rejects`. None: not one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rejects: Option<u64>,
    /// SQL types of columns, in place of those that their values suggest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schema: BTreeMap<String, String>,
}

impl Source {
    /// How its files are loaded.
    pub fn load_options(&self) -> LoadOptions {
        let Source { table: _, files: _, history, columns, delimiter, quote, encoding, max_rejects, schema } =
            self.clone();
        let max_rejects = max_rejects.unwrap_or(0);
        LoadOptions { history, columns, delimiter, quote, encoding, schema, max_rejects, ..LoadOptions::default() }
    }
}

/// Reads a file of column types, lines like `amount = "DOUBLE"`.
pub fn read_schema(path: &Path) -> Result<BTreeMap<String, String>> {
    read_toml(path)
}

/// A task and when it is trained anew.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskRule {
    /// A shipped task's name, or a file.
    pub task: String,
    /// Train anew once the data reach this many days beyond those of the last run.
    #[serde(default = "default_retrain_days")]
    pub retrain_days: u32,
}

/// A month: what a customer does next changes slowly.
pub const DEFAULT_RETRAIN_DAYS: u32 = 30;

fn default_retrain_days() -> u32 {
    DEFAULT_RETRAIN_DAYS
}

/// A project folder with its configuration, its paths made absolute.
#[derive(Clone, Debug)]
pub struct Project {
    pub folder: PathBuf,
    pub config: Config,
}

impl Project {
    /// Reads `<folder>/perennial.toml`.
    pub fn read(folder: &Path) -> Result<Project> {
        let path = folder.join(FILE);
        let config = read_toml(&path)?;
        let folder = std::path::absolute(folder).map_err(Error::file(folder))?;
        Ok(Project { folder, config })
    }

    /// The project's own `sql/`, where it has one.
    pub fn sql(&self) -> Option<PathBuf> {
        Some(self.folder.join("sql")).filter(|path| path.is_dir())
    }

    pub fn warehouse_url(&self) -> String {
        self.resolve(&self.config.warehouse)
    }

    pub fn publish_url(&self) -> Option<String> {
        self.config.publish.as_deref().map(|place| self.resolve(place))
    }

    /// Globs of a source, from the project's folder.
    pub fn files(&self, source: &Source) -> Vec<String> {
        source.files.iter().map(|pattern| self.resolve(pattern)).collect()
    }

    pub fn task(&self, rule: &TaskRule) -> Result<Task> {
        Task::read(&rule.task, &self.folder)
    }

    fn resolve(&self, place: &str) -> String {
        if place.contains("://") { place.into() } else { self.folder.join(place).to_string_lossy().into_owned() }
    }
}

fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    toml::from_str(&text).map_err(|source| Error::Toml { path: path.into(), source: Box::new(source) })
}
