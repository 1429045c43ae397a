//! A task: what is predicted, from which label view, over which horizon, by which model. Or a view whose rows are the
//! answers already: its scores are kept like a model's, with nothing to train.
//!
//! A task is a TOML of its own, so a user's label view and task train without Rust. The shipped ones are embedded.

use crate::error::{Error, Result};
use crate::prior::{self, PriorKind};
use include_dir::{Dir, include_dir};
use sequences::Head;
use serde::{Deserialize, Serialize};
use std::path::Path;

static SHIPPED: Dir = include_dir!("$CARGO_MANIFEST_DIR/../../models");

/// A task file, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Name of the task, as runs, metrics and scores carry it.
    #[serde(rename = "task")]
    pub name: String,
    /// The view that holds the label, one row per (customer_id, as_of). A benchmark that brings its own file has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The column of that view which is the label. By default `churned` or `value` where the head is churn or clv, else the
    /// only column that can be meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// A view of numbers known at the cut-off, rows of customers at cut-offs, that the model reads beside the events; by
    /// default it reads events alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<String>,
    /// Days after the cut-off that the label looks at.
    #[serde(default = "default_horizon_days")]
    pub horizon_days: u32,
    /// What the model starts from, so that it only learns what to change; by default it learns everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<PriorKind>,
    /// Days that the labels it learns from look at, where that is fewer than `horizon_days`: history may be too short for as
    /// long a horizon three times over. The prior carries the answers further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learnt_horizon_days: Option<u32>,
    /// How many cut-offs the training examples come from.
    #[serde(default = "default_cutoffs")]
    pub cutoffs: u32,
    /// Days between two training cut-offs.
    #[serde(default = "default_every_days")]
    pub every_days: u32,
    /// What the model predicts. A task has this or a view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// The view that holds the answers, rows of customers at cut-offs, whose columns go to `scores.<task>`. Beside it
    /// nothing but the name is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<String>,
    /// The model's shape; see the trainer's configuration.
    #[serde(default)]
    pub model: toml::Table,
    /// How it is trained; see the trainer's configuration.
    #[serde(default)]
    pub training: toml::Table,
    /// Settings of `model` and `training` that `tune` searches through: a list of values, or a range `from`, `to` and `log`.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub tune: toml::Table,
}

fn default_horizon_days() -> u32 {
    90
}

/// With the days between them a year, so that every season is learnt from.
fn default_cutoffs() -> u32 {
    12
}

fn default_every_days() -> u32 {
    30
}

impl Task {
    /// Whether its model learns how long customers buy nothing, and not only whether, from labels that say when.
    pub(crate) fn tells_when(&self) -> bool {
        self.model.get("periods").and_then(toml::Value::as_integer).is_some_and(|periods| periods > 1)
    }

    /// Reads a task by the path of its file, or by the name of a shipped one.
    /// `folder` is where relative paths start and where a project's own `models/<name>.toml` is looked for.
    pub fn read(name: &str, folder: &Path) -> Result<Task> {
        let candidates = [folder.join(name), folder.join("models").join(format!("{name}.toml"))];
        for path in candidates {
            if path.is_file() {
                let text = std::fs::read_to_string(&path).map_err(Error::file(&path))?;
                return Task::parse(&text, &path);
            }
        }
        let file = name.trim_end_matches(".toml").trim_start_matches("models/");
        match SHIPPED.get_file(format!("{file}.toml")).and_then(|f| f.contents_utf8()) {
            Some(text) => Task::parse(text, Path::new(name)),
            None => Err(Error::UnknownTask { name: name.into(), shipped: Task::shipped().join(", ") }),
        }
    }

    /// Every task of the project in `folder`, and the shipped ones that it does not override.
    pub fn all(folder: &Path) -> Result<Vec<Task>> {
        let mut names = Task::shipped();
        let entries = std::fs::read_dir(folder.join("models")).into_iter().flatten();
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        names.extend(files.filter_map(|path| {
            let is_task = path.extension().is_some_and(|ending| ending == "toml");
            Some(path.file_stem()?.to_str()?.to_string()).filter(|_| is_task)
        }));
        names.sort();
        names.dedup();
        names.iter().map(|name| Task::read(name, folder)).collect()
    }

    /// Days that the labels it learns from look at.
    pub(crate) fn learnt_days(&self) -> u32 {
        self.learnt_horizon_days.unwrap_or(self.horizon_days)
    }

    /// The task as it is learnt: over the learnt horizon.
    pub(crate) fn as_learnt(&self) -> Task {
        Task { horizon_days: self.learnt_days(), learnt_horizon_days: None, ..self.clone() }
    }

    /// Whether its answers look further ahead than what it learns from.
    pub(crate) fn is_rolled_out(&self) -> bool {
        self.learnt_days() < self.horizon_days
    }

    /// What its model predicts.
    ///
    /// # Errors
    /// A task that is a view.
    pub(crate) fn head(&self) -> Result<Head> {
        let view = self.view.as_deref().unwrap_or_default();
        let problem =
            || format!("its answers are the rows of {view}: there is nothing to train or to evaluate; score it");
        self.head.ok_or_else(|| Error::Task { task: self.name.clone(), problem: problem() })
    }

    /// The label view of a task that is trained on a warehouse.
    pub(crate) fn label(&self) -> Result<&str> {
        let problem = || format!("it names no label view, as in label = \"labels.{}\"", self.name);
        self.label.as_deref().ok_or_else(|| Error::Task { task: self.name.clone(), problem: problem() })
    }

    /// Names of the shipped tasks.
    pub fn shipped() -> Vec<String> {
        let mut names: Vec<String> =
            SHIPPED.files().filter_map(|f| Some(f.path().file_stem()?.to_str()?.to_string())).collect();
        names.sort();
        names
    }

    fn parse(text: &str, path: &Path) -> Result<Task> {
        let task: Task =
            toml::from_str(text).map_err(|source| Error::Toml { path: path.into(), source: Box::new(source) })?;
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if let Some(problem) = wrong_kind(&task, text) {
            return Err(Error::Task { task: task.name, problem });
        }
        let problem = if task.name.is_empty() || !task.name.chars().all(is_name) {
            Some("a task's name is lower-case letters, digits and _, as in task = \"churn_30_days\"")
        } else if task.horizon_days == 0 {
            Some("horizon_days is 0; a label needs at least one day")
        } else if task.cutoffs == 0 {
            Some("cutoffs is 0; training needs at least one cut-off")
        } else if task.every_days == 0 {
            Some("every_days is 0; training cut-offs must differ")
        } else if task.features.is_some() && task.head == Some(Head::NextItem) {
            Some("the next item of a list has no cut-off whose features could be read: leave features out")
        } else if task.prior.is_some() && task.head.is_none_or(|head| prior::offsets(head).is_empty()) {
            Some("a prior says how often somebody buys, and for how much: it is for the heads churn, clv and count")
        } else if task.prior.is_some() && task.tells_when() {
            Some("a prior says whether a customer comes back, not when: leave it or model.periods out")
        } else if task.learnt_horizon_days.is_some() && task.prior.is_none() {
            Some(
                "learnt_horizon_days without a prior: nothing would carry the answers on to horizon_days; add prior = \"pareto_nbd\"",
            )
        } else if task.learnt_horizon_days.is_some_and(|days| days == 0 || days > task.horizon_days) {
            Some("learnt_horizon_days is at least 1 and at most horizon_days")
        } else if task.label_column.is_some() && task.head.is_some_and(Head::ranks_products) {
            Some(
                "a next purchase is product_id, days_to_next and is_complete of its label view: leave label_column out",
            )
        } else {
            None
        };
        match problem {
            Some(problem) => Err(Error::Task { task: task.name, problem: problem.into() }),
            None => Ok(task),
        }
    }
}

/// What is wrong with what says whether a task is a model or a view.
fn wrong_kind(task: &Task, text: &str) -> Option<String> {
    match (&task.head, &task.view) {
        (Some(_), None) => None,
        (None, None) => {
            let heads = "head = \"churn\", \"clv\", \"next_purchase\", \"binary\", \"count\" or \"amount\"";
            Some(format!(
                "it says neither what a model predicts ({heads}) nor which view has the answers (view = \"insights.…\")"
            ))
        }
        (_, Some(view)) => {
            let given: toml::Table = toml::from_str(text).unwrap_or_default();
            let other = given.keys().find(|key| !["task", "view"].contains(&key.as_str()))?;
            Some(format!("{other} beside view = \"{view}\": a view is not trained, so only task and view are given"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_task_parses() {
        let names = Task::shipped();
        assert!(names.iter().any(|n| n == "churn"), "{names:?}");
        for name in names {
            Task::read(&name, Path::new(".")).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }

    #[test]
    fn a_task_is_a_model_or_a_view() {
        let parse = |text: &str| Task::parse(text, Path::new("mine.toml"));
        let view = parse("task = 'offers'\nview = 'insights.offers'\n").unwrap();
        assert!(view.head().unwrap_err().to_string().contains("nothing to train"));
        for (text, problem) in [
            ("task = 'offers'\n", "neither what a model predicts"),
            ("task = 'offers'\nview = 'insights.offers'\nhead = 'churn'\n", "head beside view"),
            ("task = 'offers'\nview = 'insights.offers'\nlabel = 'labels.churn'\n", "label beside view"),
            ("task = 'offers'\nview = 'insights.offers'\n[training]\nepochs = 1\n", "training beside view"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(problem), "{message}");
        }
    }

    #[test]
    fn a_prior_is_of_purchases_and_carries_a_shorter_horizon() {
        let parse = |head: &str, rest: &str| {
            let text = format!("task = 'mine'\nlabel = 'labels.mine'\nhead = '{head}'\nhorizon_days = 90\n{rest}");
            Task::parse(&text, Path::new("mine.toml"))
        };
        let task = parse("clv", "prior = 'pareto_nbd'\nlearnt_horizon_days = 30").unwrap();
        assert!(task.is_rolled_out() && !task.as_learnt().is_rolled_out());
        assert_eq!((task.learnt_days(), task.as_learnt().horizon_days), (30, 30));
        for (head, rest, problem) in [
            ("binary", "prior = 'pareto_nbd'", "for the heads churn, clv and count"),
            ("churn", "prior = 'bg_nbd'", "pareto_nbd"),
            ("churn", "prior = 'pareto_nbd'\nmodel.periods = 6", "whether a customer comes back, not when"),
            ("churn", "learnt_horizon_days = 30", "without a prior"),
            ("churn", "prior = 'pareto_nbd'\nlearnt_horizon_days = 91", "at most horizon_days"),
            ("churn", "prior = 'pareto_nbd'\nlearnt_horizon_days = 0", "at least 1"),
        ] {
            let message = parse(head, rest).unwrap_err().to_string();
            assert!(message.contains(problem), "{message}");
        }
    }

    #[test]
    fn an_unknown_key_names_itself_and_the_valid_ones() {
        let text = "task = 'churn'\nlabel = 'labels.churn'\nhead = 'churn'\nhorizn_days = 9\n";
        let message = Task::parse(text, Path::new("mine.toml")).unwrap_err().to_string();
        assert!(
            message.contains("mine.toml") && message.contains("horizn_days") && message.contains("horizon_days"),
            "{message}"
        );
    }
}
