//! Scoring: every customer at a cut-off through a task's run or view, appended to the score tables.

#[cfg(feature = "train")]
mod models;
#[cfg(feature = "train")]
mod parts;
#[cfg(feature = "train")]
mod reasons;
mod views;

use crate::dataset;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::task::Task;
use crate::time::{date, now};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;
use warehouse::{Spine, Warehouse};

pub(crate) use views::ready;

/// How many customers are in memory at once, unless asked otherwise.
pub const DEFAULT_CUSTOMERS_AT_ONCE: usize = 50_000;

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
    /// Customers in memory at once.
    pub customers_at_once: usize,
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
            customers_at_once: DEFAULT_CUSTOMERS_AT_ONCE,
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
        stamp.snapshot = commit(warehouse, scores, &mut tables).await?;
    }
    if !views.is_empty() {
        let scores = views::scores(warehouse, &views, &stamp, progress).await?;
        stamp.snapshot = commit(warehouse, scores, &mut tables).await?;
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
    /// How many customers the spine has.
    customers: u64,
}

impl Stamp {
    async fn of(warehouse: &Warehouse, options: &ScoreOptions) -> Result<Stamp> {
        let read = warehouse.store().snapshot().await?;
        let spine = options.as_of.map_or(Spine::Default, Spine::AsOf);
        let session = dataset::session(warehouse, read.id, spine, None).await?;
        let query = "SELECT min(as_of) AS as_of, count(*) AS customers FROM spine";
        let rows = dataset::rows(&session, "spine", query).await?;
        let as_of = rows.times("as_of")?.first().copied().flatten().ok_or(Error::NoFacts)?;
        let customers = rows.numbers("customers")?.first().copied().flatten().unwrap_or_default() as u64;
        let core = read.tables.iter().filter(|(name, _)| name.starts_with("core."));
        let core: Vec<String> = core.map(|(name, version)| format!("{name}@{version}")).collect();
        Ok(Stamp { snapshot: read.id, core: core.join("+"), as_of, scored_at: now(), customers })
    }
}

/// Scores that a table has and no snapshot yet.
struct Appended {
    scored: ScoredTable,
    version: u64,
}

/// Commits scores as one snapshot, whose number it returns.
async fn commit(warehouse: &Warehouse, scores: Vec<Appended>, tables: &mut Vec<ScoredTable>) -> Result<u64> {
    let mut versions = BTreeMap::new();
    for Appended { scored, version } in scores {
        // Of several appends to a table the last version has them all.
        let newest = versions.entry(scored.table.clone()).or_insert(version);
        *newest = version.max(*newest);
        tables.push(scored);
    }
    Ok(warehouse.commit(SCORE, versions).await?.id)
}

/// What the operation is called in a table's history.
const SCORE: &str = "score";

#[cfg(not(feature = "train"))]
mod models {
    use super::{Appended, Error, Progress, Result, ScoreOptions, Stamp, Task, Warehouse};

    pub(super) async fn scores(
        _warehouse: &Warehouse,
        tasks: &[&Task],
        _options: &ScoreOptions,
        _stamp: &Stamp,
        _progress: &dyn Progress,
    ) -> Result<Vec<Appended>> {
        Err(Error::NoTrainer { task: tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>().join(", ") })
    }
}
