//! The nightly run: load what is new, build, check, train where due, score, publish, as the project says.
//!
//! Every step is itself incremental and safe to repeat, so going on after a failure is just running again.

use crate::checks::failed;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::project::{Project, TaskRule};
use crate::publishing::{PublishOptions, publish};
use crate::scoring::{self, ScoreOptions, score};
use crate::tables::CROWDED_FILES;
use crate::task::Task;
#[cfg(feature = "train")]
use crate::time::date;
use crate::{LoadOptions, build, check, load, must_hold, optimize};
use chrono::Utc;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use warehouse::{CheckOptions, Severity, Warehouse};

/// What the nightly run needs beside the project.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Folder in which a training run lies until it is finished.
    pub work: PathBuf,
    /// Once set, training stops at its next checkpoint and the run ends.
    pub interrupted: Arc<AtomicBool>,
    /// Settings of the object stores that are loaded from and published to.
    pub environment: Vec<(String, String)>,
}

/// What was done, step by step.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunReport {
    pub steps: Vec<Step>,
}

/// One thing done or found to need no doing.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// load, build, check, train, score or publish.
    pub step: String,
    pub what: String,
    pub outcome: String,
    pub seconds: f64,
}

impl RunReport {
    fn add(&mut self, step: &str, what: impl Into<String>, outcome: impl Into<String>, started: Instant) {
        let seconds = started.elapsed().as_secs_f64();
        self.steps.push(Step { step: step.into(), what: what.into(), outcome: outcome.into(), seconds });
    }
}

/// Does everything `perennial.toml` asks for. `report` gets each step as it is done, so that a night that fails tells
/// how far it came.
pub async fn run(
    warehouse: &Warehouse,
    project: &Project,
    options: &RunOptions,
    progress: &dyn Progress,
    report: &mut RunReport,
) -> Result<()> {
    let tasks = tasks(warehouse, project)?;
    // One instant for the whole night, so that what came together is known together.
    let loaded_at = Utc::now();
    for source in &project.config.sources {
        let started = Instant::now();
        let environment = options.environment.clone();
        let load_options = LoadOptions { loaded_at: Some(loaded_at), environment, ..source.load_options() };
        let loaded = load(warehouse, &source.table, &project.files(source), &load_options, progress).await?;
        let rejects = if loaded.rejects > 0 { format!(", {} rejected", loaded.rejects) } else { String::new() };
        let outcome = format!("{} rows from {} new files{rejects}", loaded.rows, loaded.files);
        report.add("load", &source.table, outcome, started);
    }
    let started = Instant::now();
    let built = build(warehouse, progress).await?;
    let rows: u64 = built.staged.iter().map(|staged| staged.rows).sum();
    report.add("build", format!("{} staging files", built.staged.len()), format!("{rows} rows added"), started);
    for skipped in built.skipped.iter().filter(|skipped| skipped.is_in_use) {
        report.add("build", format!("sql/{}", skipped.file), format!("did not run: {}", skipped.reason), started);
    }
    for table in &built.unread {
        report.add("build", table, "goes nowhere: no staging file reads it", started);
    }
    let started = Instant::now();
    for table in optimize(warehouse, &[], CROWDED_FILES, progress).await?.iter().filter(|table| table.merged > 0) {
        report.add("optimize", &table.table, format!("{} files merged into {}", table.merged, table.into), started);
    }
    if !project.config.checks.is_empty() {
        let started = Instant::now();
        let options = CheckOptions { tables: project.config.checks.clone(), ..CheckOptions::default() };
        let checked = check(warehouse, &options, progress).await?;
        let holding = checked.results.iter().filter(|result| result.passed).count();
        let outcome = format!("{holding} of {} checks hold", checked.results.len());
        report.add("check", project.config.checks.join(", "), outcome, started);
        for warning in failed(&checked, Severity::Warn).filter(|result| result.severity == Severity::Warn) {
            report.add("check", &warning.table, format!("warning: {}", warning.rule), started);
        }
        must_hold(&checked)?;
    }
    models(warehouse, &tasks, options, progress, report).await?;
    if let Some(url) = project.publish_url() {
        let started = Instant::now();
        let publish_options = PublishOptions { personal_data: false, environment: options.environment.clone() };
        let published = publish(warehouse, &url, &publish_options, progress).await?;
        let outcome = format!("version {} with {} tables", published.version, published.tables.len());
        report.add("publish", url, outcome, started);
    }
    Ok(())
}

/// The project's tasks with their retraining rules; a night ends here, before any work, where one of them is no task.
fn tasks<'a>(warehouse: &Warehouse, project: &'a Project) -> Result<Vec<(Task, &'a TaskRule)>> {
    let read = |rule| -> Result<(Task, &TaskRule)> {
        let task = project.task(rule)?;
        match task.view {
            Some(_) => scoring::ready(warehouse, &task, &ScoreOptions::default())?,
            None => trainable(&task)?,
        }
        Ok((task, rule))
    };
    project.config.tasks.iter().map(read).collect()
}

async fn models(
    warehouse: &Warehouse,
    tasks: &[(Task, &TaskRule)],
    options: &RunOptions,
    progress: &dyn Progress,
    report: &mut RunReport,
) -> Result<()> {
    for (task, rule) in tasks.iter().filter(|(task, _)| task.view.is_none()) {
        let started = Instant::now();
        let outcome = train_where_due(warehouse, task, rule, options, progress).await?;
        report.add("train", &task.name, outcome, started);
        if let Some(waiting) = waiting(warehouse, task).await? {
            report.add("train", &task.name, waiting, started);
        }
    }
    if !tasks.is_empty() {
        let started = Instant::now();
        let tasks: Vec<Task> = tasks.iter().map(|(task, _)| task.clone()).collect();
        let scored = score(warehouse, &tasks, &ScoreOptions::default(), progress).await?;
        let rows: u64 = scored.tables.iter().map(|table| table.rows).sum();
        report.add(
            "score",
            format!("{} tables", scored.tables.len()),
            format!("{rows} rows as of {}", scored.as_of),
            started,
        );
    }
    Ok(())
}

#[cfg(feature = "train")]
fn trainable(task: &Task) -> Result<()> {
    crate::training::ready(task).map(drop)
}

#[cfg(not(feature = "train"))]
fn trainable(task: &Task) -> Result<()> {
    Err(Error::NoTrainer { task: task.name.clone() })
}

#[cfg(feature = "train")]
async fn waiting(warehouse: &Warehouse, task: &Task) -> Result<Option<String>> {
    crate::registry::waiting(warehouse, &task.name).await
}

#[cfg(not(feature = "train"))]
async fn waiting(_warehouse: &Warehouse, _task: &Task) -> Result<Option<String>> {
    Ok(None)
}

#[cfg(feature = "train")]
async fn train_where_due(
    warehouse: &Warehouse,
    task: &Task,
    rule: &TaskRule,
    options: &RunOptions,
    progress: &dyn Progress,
) -> Result<String> {
    use crate::runs::Run;
    use crate::training::{TrainOptions, train};

    let clock = warehouse.clock(&warehouse.store().snapshot().await?).await?.ok_or(Error::NoFacts)?;
    let due_at = match Run::find(warehouse, &task.name, None).await {
        Ok(run) => run.due_at(rule.retrain_days),
        Err(Error::NoRun { .. }) => i64::MIN,
        Err(error) => return Err(error),
    };
    if clock.observed_until.timestamp_micros() < due_at {
        return Ok(format!("not due before data of {}", date(due_at)));
    }
    let train_options = TrainOptions {
        resume: true,
        work: options.work.clone(),
        interrupted: options.interrupted.clone(),
        ..TrainOptions::default()
    };
    let run = train(warehouse, task, &train_options, progress).await?;
    Ok(format!("run {}, best epoch {}", run.run_id, run.best_epoch))
}

#[cfg(not(feature = "train"))]
async fn train_where_due(
    _warehouse: &Warehouse,
    task: &Task,
    _rule: &TaskRule,
    _options: &RunOptions,
    _progress: &dyn Progress,
) -> Result<String> {
    trainable(task).map(|()| String::new())
}
