//! Scoring: every customer at a cut-off through a task's run or view, appended to the score tables.

#[cfg(feature = "train")]
mod models;
#[cfg(feature = "train")]
mod reasons;
mod views;

use crate::dataset;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::task::Task;
use crate::time::{date, now};
use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use serde::Serialize;
use std::collections::BTreeMap;
use warehouse::{Spine, Warehouse};

pub(crate) use views::ready;

/// How many products are written for each customer's next purchase, unless asked otherwise.
pub const DEFAULT_TOP: usize = 10;

/// Whom to score, and with what.
#[derive(Clone, Debug)]
pub struct ScoreOptions {
    /// Cut-off; just after everything loaded without it.
    pub as_of: Option<DateTime<Utc>>,
    /// The run; each task's champion without it, or its newest run where none was promoted.
    pub run: Option<String>,
    /// Products written for each customer's next purchase.
    pub top: usize,
    /// Reasons written for each customer's score, where the task has some; none without it.
    pub reasons: Option<usize>,
    /// Numbers of days for each of which the probability of staying away is written too, where a model tells it.
    pub horizons: Vec<u32>,
    /// Whether the models' embeddings of customers, and of products where they rank them, are written too.
    pub embeddings: bool,
}

impl Default for ScoreOptions {
    fn default() -> ScoreOptions {
        ScoreOptions {
            as_of: None,
            run: None,
            top: DEFAULT_TOP,
            reasons: None,
            horizons: Vec::new(),
            embeddings: false,
        }
    }
}

/// What was scored.
#[derive(Clone, Debug, Serialize)]
pub struct ScoreReport {
    pub as_of: String,
    /// The snapshot that has the scores.
    pub snapshot: u64,
    pub tables: Vec<ScoredTable>,
}

/// Where the scores of one task went, and the run or the view that they are of.
#[derive(Clone, Debug, Serialize)]
pub struct ScoredTable {
    pub table: String,
    pub task: String,
    pub run_id: Option<String>,
    pub view: Option<String>,
    pub rows: u64,
}

/// Scores all customers of the cut-off, those that training never saw as well. All models' scores are committed as one
/// snapshot; after that views, which may read them, as another.
pub async fn score(
    warehouse: &Warehouse,
    tasks: &[Task],
    options: &ScoreOptions,
    progress: &dyn Progress,
) -> Result<ScoreReport> {
    let (views, models): (Vec<&Task>, Vec<&Task>) = tasks.iter().partition(|task| task.view.is_some());
    views.iter().try_for_each(|task| ready(warehouse, task, options))?;
    let mut stamp = Stamp::of(warehouse, options).await?;
    let mut tables = Vec::new();
    if !models.is_empty() {
        let scores = models::scores(warehouse, &models, options, &stamp, progress).await?;
        stamp.snapshot = append(warehouse, scores, &mut tables).await?;
    }
    if !views.is_empty() {
        let scores = views::scores(warehouse, &views, &stamp, progress).await?;
        stamp.snapshot = append(warehouse, scores, &mut tables).await?;
    }
    Ok(ScoreReport { as_of: date(stamp.as_of), snapshot: stamp.snapshot, tables })
}

/// What every score of one call shares.
struct Stamp {
    /// The snapshot that is read.
    snapshot: u64,
    /// The versions of its core tables.
    core: String,
    as_of: i64,
    scored_at: i64,
    /// Every customer of the spine, with the cut-off.
    keys: Vec<(String, i64)>,
}

impl Stamp {
    async fn of(warehouse: &Warehouse, options: &ScoreOptions) -> Result<Stamp> {
        let read = warehouse.store().snapshot().await?;
        let spine = options.as_of.map_or(Spine::Default, Spine::AsOf);
        let session = dataset::session(warehouse, read.id, spine, None).await?;
        let query = "SELECT customer_id, as_of FROM spine ORDER BY customer_id";
        let keys = dataset::rows(&session, "spine", query).await?.keys()?;
        let Some(&(_, as_of)) = keys.first() else { return Err(Error::NoFacts) };
        let core = read.tables.iter().filter(|(name, _)| name.starts_with("core."));
        let core: Vec<String> = core.map(|(name, version)| format!("{name}@{version}")).collect();
        Ok(Stamp { snapshot: read.id, core: core.join("+"), as_of, scored_at: now(), keys })
    }
}

/// Scores for one table.
struct Rows {
    table: String,
    task: String,
    run_id: Option<String>,
    view: Option<String>,
    batches: Vec<RecordBatch>,
    /// The same for the same scores, so that they are written once.
    transaction: String,
}

/// Commits scores as one snapshot, whose number it returns.
async fn append(warehouse: &Warehouse, scores: Vec<Rows>, tables: &mut Vec<ScoredTable>) -> Result<u64> {
    let mut versions = BTreeMap::new();
    for Rows { table, task, run_id, view, batches, transaction } in scores {
        let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let batches = stream::iter(batches.into_iter().map(Ok)).boxed();
        let version = warehouse.append_stream(&table, batches, &transaction, "score").await?;
        versions.insert(table.clone(), version);
        tables.push(ScoredTable { table, task, run_id, view, rows });
    }
    Ok(warehouse.commit("score", versions).await?.id)
}

#[cfg(not(feature = "train"))]
mod models {
    use super::{Error, Progress, Result, Rows, ScoreOptions, Stamp, Task, Warehouse};

    pub(super) async fn scores(
        _warehouse: &Warehouse,
        tasks: &[&Task],
        _options: &ScoreOptions,
        _stamp: &Stamp,
        _progress: &dyn Progress,
    ) -> Result<Vec<Rows>> {
        Err(Error::NoTrainer { task: tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>().join(", ") })
    }
}
