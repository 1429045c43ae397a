//! Runs: what one training of a task was, where its folder lies, and how the newest one is found again.

use crate::columns::Rows;
use crate::cutoffs::Cutoffs;
use crate::dataset;
use crate::error::{Error, Result};
use crate::features::Features;
use crate::prior::Prior;
use crate::run_folder::{self, RECORD};
use crate::task::Task;
use crate::time::{MICROS_PER_DAY, now};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use warehouse::{Spine, Warehouse, replace_file};

/// In the working folder: which run it will be.
const PLAN: &str = "plan.json";

/// What a run starts from; enough to go on with it after a kill, and to repeat it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub run_id: String,
    /// The warehouse's URL.
    pub warehouse: String,
    pub task: Task,
    pub snapshot: u64,
    pub seed: u64,
    /// The run whose weights it starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    pub started_at: i64,
    pub train: Vec<i64>,
    pub valid: i64,
    pub test: i64,
    /// What the model starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
}

/// A run that only this process trains.
pub(crate) struct Held {
    path: PathBuf,
    _file: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A finished run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub run_id: String,
    pub task: String,
    pub best_epoch: usize,
    /// Epochs trained; fewer than configured after early stopping.
    pub epochs: usize,
    pub finished_at: i64,
    pub plan: Plan,
}

impl Plan {
    /// # Errors
    /// A prior that the purchases before the test cut-off can't tell.
    pub(crate) async fn new(
        warehouse: &Warehouse,
        task: &Task,
        snapshot: u64,
        seed: u64,
        cutoffs: Cutoffs,
    ) -> Result<Plan> {
        let Cutoffs { train, valid, test } = cutoffs;
        Ok(Plan {
            run_id: uuid::Uuid::now_v7().to_string(),
            warehouse: warehouse.store().url().to_string(),
            task: task.clone(),
            snapshot,
            seed,
            from: None,
            started_at: now(),
            train,
            valid,
            test,
            prior: Prior::fit(warehouse, snapshot, task, test).await?,
        })
    }

    /// The same with answers asked for over so many days, where they are given.
    ///
    /// # Errors
    /// Days that its model tells nothing of.
    pub(crate) fn over(&self, days: Option<u32>) -> Result<Plan> {
        let (task, learnt) = (&self.task, self.task.horizon_days);
        let problem = match days {
            None => return Ok(self.clone()),
            Some(days) if task.tells_when() && (1..=learnt).contains(&days) => {
                return Ok(Plan { task: Task { horizon_days: days, ..task.clone() }, ..self.clone() });
            }
            Some(days) if task.tells_when() => {
                format!("{days} days can't be asked for: its run looks {learnt} days ahead; ask for 1 to that many")
            }
            Some(_) => format!(
                "its run tells what happens in {learnt} days and nothing of other times; a head churn with model.periods \
                above 1 does"
            ),
        };
        Err(Error::Task { task: task.name.clone(), problem })
    }

    /// What its prior says over `days`; nothing where it has none.
    pub(crate) async fn prior_features(
        &self,
        warehouse: &Warehouse,
        snapshot: u64,
        keys: &[(String, i64)],
        days: u32,
    ) -> Result<Features> {
        match &self.prior {
            Some(prior) => prior.features(warehouse, snapshot, &self.task, keys, days).await,
            None => Ok(Features::default()),
        }
    }

    /// Where this run is trained.
    pub(crate) fn folder(&self, work: &Path) -> PathBuf {
        work.join(&self.run_id)
    }

    pub(crate) fn save(&self, work: &Path) -> Result<()> {
        let folder = self.folder(work);
        std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        write_json(&folder.join(PLAN), self)
    }

    /// Keeps other processes from training this run until what is returned is dropped, or this process ends.
    pub(crate) fn hold(&self, work: &Path) -> Result<Held> {
        let path = work.join(format!("{}.lock", self.run_id));
        let file = File::create(&path).map_err(Error::file(&path))?;
        let in_training = || Error::InTraining {
            task: self.task.name.clone(),
            run_id: self.run_id.clone(),
            folder: self.folder(work),
        };
        match file.try_lock() {
            // Whoever held it until now has finished the run.
            Ok(()) if !self.folder(work).exists() => {
                let _ = std::fs::remove_file(&path);
                Err(in_training())
            }
            // Some file systems know no locks.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Held { path, _file: file }),
            Err(TryLockError::WouldBlock) => Err(in_training()),
        }
    }

    /// The newest unfinished run of this task, as it is configured now, on this warehouse, if it was begun after the run
    /// `newest`, which is finished, and from the run `from`, where that is asked for. One that never reached a checkpoint
    /// counts only on the snapshot asked for: there is nothing of it to keep, and newer data may help.
    pub(crate) fn unfinished(
        warehouse: &Warehouse,
        task: &Task,
        snapshot: u64,
        from: Option<&str>,
        newest: Option<&str>,
        work: &Path,
    ) -> Option<Plan> {
        let entries = std::fs::read_dir(work).ok()?;
        let plans = entries.filter_map(|entry| read_json::<Plan>(&entry.ok()?.path().join(PLAN)));
        let is_ours = |plan: &Plan| plan.task == *task && plan.warehouse == warehouse.store().url().as_str();
        let is_from = |plan: &Plan| from.is_none() || plan.from.as_deref() == from;
        let is_begun = |plan: &Plan| plan.snapshot == snapshot || trainer::has_checkpoint(&plan.folder(work));
        // Run ids begin with their time.
        let is_newer = |plan: &Plan| newest.is_none_or(|newest| plan.run_id.as_str() > newest);
        let ours = plans.filter(|plan| is_ours(plan) && is_from(plan) && is_begun(plan) && is_newer(plan));
        ours.max_by(|a, b| a.run_id.cmp(&b.run_id))
    }
}

impl Run {
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        write_json(&folder.join(RECORD), self)
    }

    /// Once data are observed until then, the task is trained anew.
    pub(crate) fn due_at(&self, retrain_days: u32) -> i64 {
        let observed_until = self.plan.test + i64::from(self.plan.task.horizon_days) * MICROS_PER_DAY;
        observed_until + i64::from(retrain_days) * MICROS_PER_DAY
    }

    /// The given run, or the task's newest one.
    pub(crate) async fn find(warehouse: &Warehouse, task: &str, run: Option<&str>) -> Result<Run> {
        let run_id = match run {
            Some(run) => run.to_string(),
            None => {
                let newest = Run::newest(warehouse, task).await?;
                newest.ok_or_else(|| Error::NoRun { task: task.into() })?
            }
        };
        let bytes = warehouse.store().get_file(&format!("{}/{RECORD}", run_folder::place(&run_id))).await;
        let bytes = bytes.map_err(|error| match error {
            store::Error::Missing { .. } => Error::UnknownRun { run: run_id.clone() },
            error => error.into(),
        })?;
        let run: Run = serde_json::from_slice(&bytes).map_err(|e| Error::Task {
            task: task.into(),
            problem: format!("run {run_id} has a damaged {RECORD}: {e}"),
        })?;
        match run.task == task {
            true => Ok(run),
            false => {
                Err(Error::Task { task: task.into(), problem: format!("run {run_id} is one of task {}", run.task) })
            }
        }
    }

    /// Its model, read into memory.
    pub(crate) async fn model(&self, warehouse: &Warehouse) -> Result<trainer::Model> {
        let local = self.download(warehouse).await?;
        Ok(trainer::Model::load(local.path(), trainer::DeviceChoice::Auto)?)
    }

    /// Its folder, on the local disk until that is dropped.
    pub(crate) async fn download(&self, warehouse: &Warehouse) -> Result<tempfile::TempDir> {
        let local = tempfile::tempdir().map_err(Error::file("a temporary folder"))?;
        warehouse.store().download_folder(&run_folder::place(&self.run_id), local.path(), RECORD).await?;
        Ok(local)
    }

    pub(crate) async fn newest(warehouse: &Warehouse, task: &str) -> Result<Option<String>> {
        let snapshot = warehouse.store().snapshot().await?.id;
        let session = dataset::session(warehouse, snapshot, Spine::Default, None).await?;
        let query = "SELECT run_id, task FROM models.runs ORDER BY finished_at DESC, run_id DESC";
        let rows: Rows = dataset::rows(&session, "models.runs", query).await?;
        let runs = rows.texts("run_id")?.into_iter().zip(rows.texts("task")?);
        Ok(runs.into_iter().find(|(_, of)| of.as_deref() == Some(task)).and_then(|(run_id, _)| run_id))
    }

    /// The run as a row of `models.runs`.
    pub(crate) fn row(&self) -> Result<RecordBatch> {
        let Run { run_id, task, best_epoch, epochs: _, finished_at, plan } = self;
        let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
        let time = |value: Option<i64>| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from(vec![value]).with_timezone("UTC"))
        };
        let from: ArrayRef = Arc::new(StringArray::from(vec![plan.from.as_deref()]));
        let number = |value: u64| -> ArrayRef { Arc::new(Int64Array::from(vec![value as i64])) };
        let config = toml::to_string(&plan.task).unwrap_or_default();
        Ok(RecordBatch::try_from_iter([
            ("run_id", text(run_id)),
            ("task", text(task)),
            ("label", text(plan.task.label()?)),
            ("snapshot", number(plan.snapshot)),
            ("seed", number(plan.seed)),
            ("started_at", time(Some(plan.started_at))),
            ("finished_at", time(Some(*finished_at))),
            ("train_as_of_from", time(plan.train.first().copied())),
            ("train_as_of_to", time(plan.train.last().copied())),
            ("valid_as_of", time(Some(plan.valid))),
            ("test_as_of", time(Some(plan.test))),
            ("best_epoch", number(*best_epoch as u64)),
            ("config", text(&config)),
            ("from_run", from),
        ])?)
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec_pretty(value).map_err(|e| Error::file(path)(e.into()))?;
    Ok(replace_file(path, &text)?)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
