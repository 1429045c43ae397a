//! Scoring: every customer at a cut-off through a task's run, appended to the score tables.

use crate::dataset;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::runs::Run;
use crate::task::Task;
use crate::time::{date, now};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use sequences::Sequences;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use trainer::{Model, NextPurchase, Predictions, TimeToNext};
use warehouse::{Spine, Warehouse};

/// How many products are written for each customer's next purchase, unless asked otherwise.
pub const DEFAULT_TOP: usize = 10;

/// Whom to score, and with what.
#[derive(Clone, Debug)]
pub struct ScoreOptions {
    /// Cut-off; just after everything loaded without it.
    pub as_of: Option<DateTime<Utc>>,
    /// The run; each task's newest without it.
    pub run: Option<String>,
    /// Products written for each customer's next purchase.
    pub top: usize,
}

impl Default for ScoreOptions {
    fn default() -> ScoreOptions {
        ScoreOptions { as_of: None, run: None, top: DEFAULT_TOP }
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

#[derive(Clone, Debug, Serialize)]
pub struct ScoredTable {
    pub table: String,
    pub task: String,
    pub run_id: String,
    pub rows: u64,
}

/// Scores all customers of the cut-off, those that training never saw as well, and commits all tasks' scores as one
/// snapshot.
pub async fn score(
    warehouse: &Warehouse,
    tasks: &[Task],
    options: &ScoreOptions,
    progress: &dyn Progress,
) -> Result<ScoreReport> {
    let read = warehouse.store().snapshot().await?;
    let snapshot = read.id;
    let spine = options.as_of.map_or(Spine::Default, Spine::AsOf);
    let session = dataset::session(warehouse, snapshot, spine, None).await?;
    let query = "SELECT customer_id, as_of FROM spine ORDER BY customer_id";
    let keys = dataset::rows(&session, "spine", query).await?.keys()?;
    let Some(&(_, as_of)) = keys.first() else { return Err(Error::NoFacts) };
    let sequences = dataset::sequences(warehouse, snapshot, progress).await?;
    let scored_at = now();
    let (mut tables, mut scores) = (Vec::new(), Vec::new());
    for task in tasks {
        let run = Run::find(warehouse, &task.name, options.run.as_deref()).await?;
        progress.start(&format!("score {}", task.name), None);
        let scored = Scored { run: &run, snapshot, as_of, scored_at, keys: &keys };
        let batches = {
            let model = run.model(warehouse).await?;
            tokio::task::block_in_place(|| scored.tables(&model, &sequences, options.top))?
        };
        progress.finish(&format!("{} customers", keys.len()));
        for (table, batch) in batches {
            let rows = batch.num_rows() as u64;
            tables.push(ScoredTable { table: table.into(), task: task.name.clone(), run_id: run.run_id.clone(), rows });
            scores.push(batch);
        }
    }
    // A run at a cut-off of the same core tables is one score, however often a kill or an idle night repeats it.
    let core = read.tables.iter().filter(|(name, _)| name.starts_with("core."));
    let core: Vec<String> = core.map(|(name, version)| format!("{name}@{version}")).collect();
    let mut versions = BTreeMap::new();
    for (ScoredTable { table, run_id, .. }, batch) in tables.iter().zip(scores) {
        let transaction = format!("score:{}:{as_of}:{}:{run_id}", core.join("+"), options.top);
        let version = warehouse.append_stream(table, stream::iter([Ok(batch)]).boxed(), &transaction, "score").await?;
        versions.insert(table.clone(), version);
    }
    let snapshot = warehouse.commit("score", versions).await?.id;
    Ok(ScoreReport { as_of: date(as_of), snapshot, tables })
}

/// The columns that every score row has.
struct Scored<'a> {
    run: &'a Run,
    snapshot: u64,
    as_of: i64,
    scored_at: i64,
    keys: &'a [(String, i64)],
}

impl Scored<'_> {
    fn tables(&self, model: &Model, sequences: &Sequences, top: usize) -> Result<Vec<(&'static str, RecordBatch)>> {
        let examples = dataset::examples(sequences, self.keys, model.config().length())?;
        let predictions = model.predict(sequences, &examples, top);
        let every: Vec<usize> = (0..self.keys.len()).collect();
        let number = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
        let horizon = i64::from(self.run.plan.task.horizon_days);
        let horizon: ArrayRef = Arc::new(Int64Array::from_value(horizon, self.keys.len()));
        Ok(match predictions {
            Predictions::Churn(p) => {
                vec![("scores.churn", self.batch(&every, [("horizon_days", horizon), ("p_churn", number(p))])?)]
            }
            Predictions::Value(values) => {
                let (expected, p_zero) = values.iter().map(|value| (value.expected, value.p_zero)).unzip();
                let columns =
                    [("horizon_days", horizon), ("expected_value", number(expected)), ("p_zero", number(p_zero))];
                vec![("scores.clv", self.batch(&every, columns)?)]
            }
            Predictions::NextPurchase(next) => {
                let mut tables = vec![("scores.next_purchase", self.products(model, &next)?)];
                if let Some(times) = next.iter().map(|next| next.time).collect::<Option<Vec<_>>>() {
                    let column = |of: fn(&TimeToNext) -> f64| number(times.iter().map(of).collect());
                    let columns = [
                        ("median_days", column(|time| time.median_days)),
                        ("p10_days", column(|time| time.p10_days)),
                        ("p90_days", column(|time| time.p90_days)),
                        ("p_within_horizon", column(|time| time.p_within_horizon)),
                        ("horizon_days", horizon),
                    ];
                    tables.push(("scores.next_purchase_time", self.batch(&every, columns)?));
                }
                tables
            }
        })
    }

    /// A row per customer and rank.
    fn products(&self, model: &Model, next: &[NextPurchase]) -> Result<RecordBatch> {
        let (mut of, mut rank, mut product, mut probability) = (vec![], vec![], vec![], vec![]);
        for (row, next) in next.iter().enumerate() {
            for ((place, p), nth) in next.products.iter().zip(1i64..) {
                of.push(row);
                rank.push(nth);
                product.push(model.products()[*place].as_str());
                probability.push(*p);
            }
        }
        let columns = [
            ("rank", Arc::new(Int64Array::from(rank)) as ArrayRef),
            ("product_id", Arc::new(StringArray::from(product))),
            ("probability", Arc::new(Float64Array::from(probability))),
        ];
        self.batch(&of, columns)
    }

    /// Columns of scores after those of the key; row `i` is of customer `of[i]`.
    fn batch<const N: usize>(&self, of: &[usize], columns: [(&'static str, ArrayRef); N]) -> Result<RecordBatch> {
        let time = |value: i64| -> ArrayRef {
            Arc::new(TimestampMicrosecondArray::from_value(value, of.len()).with_timezone("UTC"))
        };
        let customers = StringArray::from_iter_values(of.iter().map(|&row| self.keys[row].0.as_str()));
        let tasks = StringArray::from_iter_values(of.iter().map(|_| self.run.task.as_str()));
        let runs = StringArray::from_iter_values(of.iter().map(|_| self.run.run_id.as_str()));
        let key: [(&str, ArrayRef); 6] = [
            ("customer_id", Arc::new(customers)),
            ("task", Arc::new(tasks)),
            ("run_id", Arc::new(runs)),
            ("snapshot", Arc::new(Int64Array::from_value(self.snapshot as i64, of.len()))),
            ("as_of", time(self.as_of)),
            ("scored_at", time(self.scored_at)),
        ];
        Ok(RecordBatch::try_from_iter(key.into_iter().chain(columns))?)
    }
}
