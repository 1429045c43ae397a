//! Tuning a task: trainings with drawn settings, judged where training itself judges, at the validation cut-off.
//!
//! The test cut-off stays unseen, so that the evaluation of the run trained afterwards is as honest as any: choosing among many
//! trials makes the best one's validation better than it will prove. Data are read once for all trials. Each is kept in
//! `models.trials` when it ends, and a trial that is there for the same data is not trained again: so an interrupted search goes
//! on by the same command, and more trials take only the time of those that are new.

mod ranges;
mod trials;

use crate::cutoffs::Cutoffs;
use crate::dataset;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::runs::Plan;
use crate::task::Task;
use crate::time::{date, now};
use crate::training::{self, Data};
use ranges::{Candidate, Space};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use trials::{Finished, LOSS, Outcome};
use warehouse::Warehouse;

/// Trials of a search, unless it says otherwise.
pub const DEFAULT_TRIALS: usize = 20;

/// How settings are searched for.
#[derive(Clone, Debug)]
pub struct TuneOptions {
    /// At least 1, which is the task file as it is.
    pub trials: usize,
    /// Of the draws; the trainings have the task's own seed.
    pub seed: u64,
    /// Overrides the task's device: cpu, cuda or auto.
    pub device: Option<String>,
    /// Folder in which a trial lies while it is trained.
    pub work: PathBuf,
    /// Once set, the search stops at the next step; finished trials are kept.
    pub interrupted: Arc<AtomicBool>,
}

/// What a search found.
#[derive(Clone, Debug, Serialize)]
pub struct TuneReport {
    pub task: String,
    /// The validation cut-off, at which all trials are judged.
    pub valid_as_of: String,
    pub seed: u64,
    /// Best first.
    pub trials: Vec<Trial>,
    /// The lines to put into the task file; None where it is the best as it is.
    pub lines: Option<String>,
}

/// A training with drawn settings.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// Counted from 1, which is the task file as it is.
    pub trial: usize,
    pub settings: BTreeMap<String, toml::Value>,
    /// None: its loss became no number.
    pub best_epoch: Option<usize>,
    pub epochs: usize,
    /// The validation loss, by which trials are ordered.
    pub loss: Option<f64>,
    /// Of the validation, after the best epoch.
    pub metrics: BTreeMap<String, f64>,
    /// Trained by an earlier search.
    pub was_known: bool,
}

/// Searches for better settings of a task over the ranges of its `[tune]`.
///
/// # Errors
/// Before anything is read: no ranges, or ranges that can't be searched. Then whatever ends a training, but for a loss that
/// becomes no number: that trial is the worst.
pub async fn tune(
    warehouse: &Warehouse,
    task: &Task,
    options: &TuneOptions,
    progress: &dyn Progress,
) -> Result<TuneReport> {
    let resolved = training::with_overrides(task, None, options.device.as_deref());
    training::ready(&resolved)?;
    let (space, task) = (Space::new(task)?, resolved);
    let candidates = space.candidates(&task, options.trials.max(1), options.seed)?;
    let snapshot = warehouse.store().snapshot().await?;
    let clock = warehouse.clock(&snapshot).await?.ok_or(Error::NoFacts)?;
    let plan = Plan::new(warehouse, &task, snapshot.id, options.seed, Cutoffs::plan(&task, &clock)?).await?;
    let known = trials::finished(warehouse, &task.name, &snapshot).await?;
    let search = Search { warehouse, plan: &plan, space: &space, options, progress };
    let trained =
        search.train(candidates.iter().filter(|c| !known.contains_key(&crate::same_data::config(&c.task)))).await?;
    let mut found: Vec<Trial> = candidates.iter().filter_map(|candidate| trial(candidate, &known, &trained)).collect();
    found.sort_by(|a, b| {
        let badness = |trial: &Trial| trial.loss.unwrap_or(f64::INFINITY);
        badness(a).total_cmp(&badness(b)).then(a.trial.cmp(&b.trial))
    });
    let best = found.first().filter(|best| best.trial > 1);
    let lines = best.map(|best| space.lines(&best.settings));
    Ok(TuneReport { task: task.name.clone(), valid_as_of: date(plan.valid), seed: options.seed, trials: found, lines })
}

fn trial(candidate: &Candidate, known: &HashMap<String, Outcome>, trained: &BTreeMap<usize, Outcome>) -> Option<Trial> {
    let new = trained.get(&candidate.trial);
    let outcome = new.or_else(|| known.get(&crate::same_data::config(&candidate.task)))?;
    let metrics = outcome.metrics.iter().filter(|(name, _)| *name != LOSS);
    Some(Trial {
        trial: candidate.trial,
        settings: candidate.settings.clone(),
        best_epoch: outcome.best_epoch,
        epochs: outcome.epochs,
        loss: outcome.loss(),
        metrics: metrics.map(|(name, value)| (name.clone(), *value)).collect(),
        was_known: new.is_none(),
    })
}

struct Search<'a> {
    warehouse: &'a Warehouse,
    plan: &'a Plan,
    space: &'a Space,
    options: &'a TuneOptions,
    progress: &'a dyn Progress,
}

impl Search<'_> {
    /// Trains and keeps each; gives what they came to, by their number.
    async fn train(&self, waiting: impl Iterator<Item = &Candidate>) -> Result<BTreeMap<usize, Outcome>> {
        let waiting: Vec<(&Candidate, trainer::Config)> =
            waiting.map(|candidate| Ok((candidate, training::config(&candidate.task)?))).collect::<Result<_>>()?;
        let Some(length) = waiting.iter().map(|(_, config)| config.length()).max() else { return Ok(BTreeMap::new()) };
        let sequences = dataset::sequences(self.warehouse, self.plan.snapshot, self.progress).await?;
        let data = Data::read(self.warehouse, self.plan, Arc::new(sequences), length, self.progress).await?;
        let mut trained = BTreeMap::new();
        for (place, (candidate, config)) in waiting.iter().enumerate() {
            let what = format!("trial {} ({} of {})", candidate.trial, place + 1, waiting.len());
            self.progress.start(&what, None);
            let trial_id = uuid::Uuid::now_v7().to_string();
            let folder = self.options.work.join(&trial_id);
            let outcome = tokio::task::block_in_place(|| {
                outcome(training::fit(config, &data, &folder, None, &self.options.interrupted, self.progress))
            });
            // Only what it came to is kept. There is no folder where it failed before it began.
            let _ = std::fs::remove_dir_all(&folder);
            let outcome = outcome.map_err(|error| self.of_search(error))?;
            self.progress.finish(&match outcome.loss() {
                Some(loss) => format!(
                    "loss {loss:.4} in validation, best epoch {} of {}",
                    outcome.best_epoch.unwrap_or(0),
                    outcome.epochs
                ),
                None => "the loss became no number".into(),
            });
            let settings = self.space.lines(&candidate.settings);
            let (seed, finished_at) = (self.options.seed, now());
            let finished =
                Finished { trial_id: &trial_id, candidate, settings: &settings, outcome: &outcome, seed, finished_at };
            trials::keep(self.warehouse, self.plan, finished).await?;
            trained.insert(candidate.trial, outcome);
        }
        Ok(trained)
    }

    fn of_search(&self, error: trainer::Error) -> Error {
        let again = "the same command trains only the trials that are missing";
        training::unfinished(error, &self.plan.task, "tune", again)
    }
}

/// What a training came to; one whose loss became no number came to nothing.
fn outcome(trained: trainer::Result<trainer::Trained>) -> trainer::Result<Outcome> {
    let trained = match trained {
        Err(trainer::Error::Diverged { .. }) => return Ok(Outcome::default()),
        trained => trained?,
    };
    let best = trained.history.iter().find(|epoch| epoch.epoch == trained.best_epoch);
    let measured = best.map(|best| {
        let metrics = best.metrics.iter().map(|(name, value)| (name.clone(), *value));
        metrics.chain([(LOSS.to_owned(), best.valid_loss)]).collect()
    });
    let best_epoch = best.map(|best| best.epoch);
    Ok(Outcome { best_epoch, epochs: trained.history.len(), metrics: measured.unwrap_or_default() })
}
