//! Rolling-origin backtest (Tashman 2000): a task is trained and judged anew from several test cut-offs, each time as if
//! nothing after its horizon had happened, so that one lucky or unlucky month does not decide what a model is worth.
//!
//! Its trainings are no runs: nothing is scored by them. Each is kept in `models.backtests` when it is judged, and one that is
//! there for the same data and settings is not trained again.

mod table;

use crate::cutoffs::Cutoffs;
use crate::dataset;
use crate::error::{Error, Result};
use crate::evaluation::{Row, verdict_counts};
use crate::judging::{self, Asked};
use crate::progress::Progress;
use crate::runs::Plan;
use crate::task::Task;
use crate::time::{MICROS_PER_DAY, date, utc};
use crate::training::{self, Data};
use sequences::Sequences;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::OnceCell;
use warehouse::{Clock, Warehouse};

/// Test cut-offs of a backtest, unless it says otherwise.
pub const DEFAULT_ORIGINS: usize = 4;

/// From where a task is judged.
#[derive(Clone, Debug)]
pub struct BacktestOptions {
    /// How many test cut-offs, the newest one that has a whole horizon among them.
    pub origins: usize,
    /// Days between them; the task's horizon without it, so that no purchase is judged twice.
    pub every_days: Option<u32>,
    /// Overrides the task's device: cpu, cuda or auto.
    pub device: Option<String>,
    /// Overrides the task's seed.
    pub seed: Option<u64>,
    /// Folder in which a model lies while it is trained and judged.
    pub work: PathBuf,
    /// Once set, the backtest stops at the next step; what is judged is kept.
    pub interrupted: Arc<AtomicBool>,
}

/// How a task fared from several test cut-offs.
#[derive(Clone, Debug, Serialize)]
pub struct Backtest {
    pub task: String,
    pub protocol: String,
    pub every_days: u32,
    /// The earliest first.
    pub origins: Vec<Origin>,
    /// Each metric of each model over all of them.
    pub summary: Vec<Summary>,
}

/// One test cut-off.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Origin {
    pub as_of: String,
    /// Training cut-offs; where history is short, the early ones have fewer.
    pub train_cutoffs: usize,
    /// Customers judged.
    pub examples: usize,
    pub rows: Vec<Row>,
    /// Trained by an earlier backtest.
    pub was_known: bool,
}

/// A metric of a model over all origins.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub metric: String,
    pub model: String,
    pub higher_is_better: bool,
    /// By origin; none where it could not be computed.
    pub values: Vec<Option<f64>>,
    pub mean: f64,
    /// Of our model's values minus this one's; none for our own.
    pub mean_difference: Option<f64>,
    /// At how many origins ours is better beyond chance.
    pub better: usize,
    /// At how many it is worse beyond chance.
    pub worse: usize,
}

/// Trains and judges a task at several test cut-offs.
///
/// # Errors
/// Before anything is trained: a history that is too short for the earliest of them.
pub async fn backtest(
    warehouse: &Warehouse,
    task: &Task,
    options: &BacktestOptions,
    progress: &dyn Progress,
) -> Result<Backtest> {
    let task = &training::with_overrides(task, options.seed, options.device.as_deref());
    let config = training::ready(task)?;
    let every_days = options.every_days.unwrap_or(task.horizon_days).max(1);
    let snapshot = warehouse.store().snapshot().await?;
    let clock = warehouse.clock(&snapshot).await?.ok_or(Error::NoFacts)?;
    let cutoffs = cutoffs(task, &clock, options.origins, every_days)?;
    let mut plans = Vec::new();
    for at in cutoffs {
        plans.push(Plan::new(warehouse, task, snapshot.id, config.seed(), at).await?);
    }
    let known = table::known(warehouse, task, &snapshot).await?;
    let bench = Bench { warehouse, config: &config, options, progress };
    let (sequences, mut origins) = (OnceCell::new(), Vec::new());
    for (place, plan) in (1..).zip(&plans) {
        let origin = match known.get(&plan.test) {
            Some(origin) => origin.clone(),
            None => {
                let read =
                    async || Ok::<_, Error>(Arc::new(dataset::sequences(warehouse, snapshot.id, progress).await?));
                let sequences = sequences.get_or_try_init(read).await?;
                bench.origin(plan, sequences, &format!("{place} of {}", plans.len())).await?
            }
        };
        origins.push(origin);
    }
    let summary = summaries(&origins);
    Ok(Backtest { task: task.name.clone(), protocol: judging::protocol(task)?, every_days, origins, summary })
}

/// The cut-offs of each origin, the earliest first: planned as if the data ended some days earlier.
fn cutoffs(task: &Task, clock: &Clock, origins: usize, every_days: u32) -> Result<Vec<Cutoffs>> {
    let mut found = Vec::new();
    for back in 0..origins.max(1) as i64 {
        let until = clock.observed_until.timestamp_micros() - back * i64::from(every_days) * MICROS_PER_DAY;
        match Cutoffs::plan(task, &Clock { observed_until: utc(until), ..*clock }) {
            Ok(cutoffs) => found.push(cutoffs),
            Err(error) if found.is_empty() => return Err(error),
            Err(_) => {
                let most = found.len();
                let problem = format!(
                    "there is history for {most} test cut-offs every {every_days} days, not for {origins}; take \
                     {most} at most, or fewer days between them"
                );
                return Err(Error::Task { task: task.name.clone(), problem });
            }
        }
    }
    found.reverse();
    Ok(found)
}

/// What all origins are trained with.
struct Bench<'a> {
    warehouse: &'a Warehouse,
    config: &'a trainer::Config,
    options: &'a BacktestOptions,
    progress: &'a dyn Progress,
}

impl Bench<'_> {
    /// Trains, judges and keeps one; `place` says which of how many.
    async fn origin(&self, plan: &Plan, sequences: &Arc<Sequences>, place: &str) -> Result<Origin> {
        let Bench { warehouse, config, options, progress } = self;
        let data = Data::read(warehouse, plan, Arc::clone(sequences), config.length(), *progress).await?;
        progress.start(&format!("train at {} ({place})", date(plan.test)), None);
        let folder = plan.folder(&options.work);
        let trained = tokio::task::block_in_place(|| {
            let trained = training::fit(config, &data, &folder, None, &options.interrupted, *progress)?;
            Ok((trained, trainer::Model::load(&folder, trainer::DeviceChoice::Auto)?))
        });
        // There is no folder where it failed before it began.
        let _ = std::fs::remove_dir_all(&folder);
        let again = "the same command trains only the cut-offs that are missing";
        let (trained, model) = trained.map_err(|error| training::unfinished(error, &plan.task, "backtest", again))?;
        progress.finish(&format!("best epoch {} of {}", trained.best_epoch, trained.history.len()));
        progress.start(&format!("judge at {} ({place})", date(plan.test)), None);
        let evaluation = judging::judge(warehouse, plan, &model, sequences, Asked::default()).await?;
        let origin = Origin {
            as_of: evaluation.as_of,
            train_cutoffs: plan.train.len(),
            examples: evaluation.examples,
            rows: evaluation.rows,
            was_known: false,
        };
        table::keep(warehouse, plan, &origin).await?;
        progress.finish(&format!("{} customers", origin.examples));
        Ok(origin)
    }
}

/// In the order of the newest origin's rows.
fn summaries(origins: &[Origin]) -> Vec<Summary> {
    let Some(newest) = origins.last() else { return Vec::new() };
    let of = |like: &Row| {
        let same = |row: &&Row| row.metric == like.metric && row.model == like.model;
        let rows: Vec<Option<&Row>> = origins.iter().map(|origin| origin.rows.iter().find(same)).collect();
        let found = || rows.iter().copied().flatten();
        let differences: Vec<f64> = found().filter_map(|row| Some(row.difference?.estimate)).collect();
        let (better, worse) = verdict_counts(found());
        Summary {
            metric: like.metric.clone(),
            model: like.model.clone(),
            higher_is_better: like.higher_is_better,
            values: rows.iter().map(|row| Some((*row)?.value.estimate)).collect(),
            mean: mean(&found().map(|row| row.value.estimate).collect::<Vec<_>>()).unwrap_or(f64::NAN),
            mean_difference: mean(&differences),
            better,
            worse,
        }
    };
    newest.rows.iter().map(of).collect()
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{Interval, Role, verdict};

    fn row(model: &str, value: f64, difference: Option<[f64; 3]>) -> Row {
        let interval = |[estimate, low, high]: [f64; 3]| Interval { estimate, low, high };
        let difference = difference.map(interval);
        Row {
            metric: "auc".into(),
            model: model.into(),
            higher_is_better: true,
            value: interval([value, value - 0.1, value + 0.1]),
            difference,
            verdict: difference.map_or("", |difference| verdict(Role::Baseline, true, difference)).into(),
        }
    }

    #[test]
    fn origins_go_back_as_long_as_there_is_history() {
        let task = "task = 't'\nlabel = 'labels.churn'\nhead = 'churn'\nhorizon_days = 90\ncutoffs = 1";
        let (task, day) = (toml::from_str(task).unwrap(), |day: i64| utc(day * MICROS_PER_DAY));
        let (first, until) = (day(0), day(400));
        let clock = Clock {
            first_event: first,
            first_known: first,
            last_event: until,
            default_as_of: until,
            observed_until: until,
        };
        let tests = |origins, every| -> Result<Vec<i64>> {
            Ok(cutoffs(&task, &clock, origins, every)?.iter().map(|at| at.test / MICROS_PER_DAY).collect())
        };
        assert_eq!(tests(3, 30).unwrap(), [250, 280, 310]);
        assert_eq!(tests(2, 90).unwrap(), [220, 310]);
        let message = tests(3, 90).unwrap_err().to_string();
        assert!(message.contains("2 test cut-offs every 90 days, not for 3"), "{message}");
    }

    #[test]
    fn origins_are_averaged_and_wins_counted() {
        let origin = |rows: Vec<Row>| Origin {
            as_of: "2025-01-01".into(),
            train_cutoffs: 1,
            examples: 10,
            rows,
            was_known: false,
        };
        let origins = [
            origin(vec![row("perennial", 0.8, None), row("trees", 0.7, Some([0.1, 0.05, 0.15]))]),
            origin(vec![row("perennial", 0.7, None), row("trees", 0.8, Some([-0.1, -0.15, -0.05]))]),
            // A baseline that could not be fitted.
            origin(vec![row("perennial", 0.75, None)]),
            origin(vec![row("perennial", 0.9, None), row("trees", 0.7, Some([0.2, 0.1, 0.3]))]),
        ];
        let summary = summaries(&origins);
        let [ours, trees] = summary.as_slice() else { panic!("{summary:?}") };
        assert_eq!(ours.values, [Some(0.8), Some(0.7), Some(0.75), Some(0.9)]);
        assert!((ours.mean - 0.7875).abs() < 1e-12 && ours.mean_difference.is_none());
        assert_eq!(trees.values, [Some(0.7), Some(0.8), None, Some(0.7)]);
        assert!((trees.mean_difference.unwrap() - 0.2 / 3.0).abs() < 1e-12);
        assert_eq!((trees.better, trees.worse), (2, 1));
    }
}
