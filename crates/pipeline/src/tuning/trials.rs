//! Rows of `models.trials`: what trials came to, and which of them need not be trained again.
//!
//! A trial is no run: it has no weights that are kept and was never looked at beyond the validation cut-off. So it stands in a
//! table of its own, which nothing reads that chooses what scores.

use super::ranges::Candidate;
use crate::columns::Rows;
use crate::dataset;
use crate::error::Result;
use crate::runs::Plan;
use crate::same_data::{SameData, config};
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use store::Snapshot;
use warehouse::{Spine, Warehouse};

const TABLE: &str = "models.trials";
/// What trials are ordered by, beside the metrics of the task.
pub(super) const LOSS: &str = "loss";

/// What a trial came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// None: its loss became no number.
    pub(super) best_epoch: Option<usize>,
    pub(super) epochs: usize,
    /// At the validation cut-off, after the best epoch.
    pub(super) metrics: BTreeMap<String, f64>,
}

impl Outcome {
    pub(super) fn loss(&self) -> Option<f64> {
        self.metrics.get(LOSS).copied()
    }
}

/// The trials of a task that read the same data as the newest snapshot has, by their configuration.
pub(super) async fn finished(warehouse: &Warehouse, task: &str, newest: &Snapshot) -> Result<HashMap<String, Outcome>> {
    let session = dataset::session(warehouse, newest.id, Spine::Default, None).await?;
    let query =
        format!("SELECT task, snapshot, config, best_epoch, epochs, metric, value FROM {TABLE} ORDER BY finished_at");
    let rows: Rows = dataset::rows(&session, TABLE, &query).await?;
    let keys = rows.texts("task")?.into_iter().zip(rows.numbers("snapshot")?).zip(rows.texts("config")?);
    let epochs = rows.numbers("best_epoch")?.into_iter().zip(rows.numbers("epochs")?);
    let measured = rows.texts("metric")?.into_iter().zip(rows.numbers("value")?);
    let mut same = SameData::new(warehouse, newest);
    let mut found: HashMap<String, Outcome> = HashMap::new();
    for ((((of, snapshot), config), (best_epoch, epochs)), (metric, value)) in keys.zip(epochs).zip(measured) {
        let (Some(of), Some(snapshot), Some(config), Some(metric)) = (of, snapshot, config, metric) else { continue };
        if of != task || !same.has(snapshot as u64).await? {
            continue;
        }
        let outcome = found.entry(config).or_default();
        outcome.best_epoch = best_epoch.map(|epoch| epoch as usize);
        outcome.epochs = epochs.unwrap_or_default() as usize;
        outcome.metrics.extend(value.map(|value| (metric, value)));
    }
    Ok(found)
}

/// A finished trial and where it stands in the search.
pub(super) struct Finished<'a> {
    pub(super) trial_id: &'a str,
    pub(super) candidate: &'a Candidate,
    /// Lines of a task file.
    pub(super) settings: &'a str,
    pub(super) outcome: &'a Outcome,
    /// Of the draws.
    pub(super) seed: u64,
    pub(super) finished_at: i64,
}

/// Appends a trial, one row a metric; a loss that is no number is a row without a value.
pub(super) async fn keep(warehouse: &Warehouse, plan: &Plan, finished: Finished<'_>) -> Result<()> {
    let Finished { trial_id, candidate, settings, outcome, seed, finished_at } = finished;
    let mut measured: Vec<(&str, Option<f64>)> =
        outcome.metrics.iter().map(|(name, value)| (name.as_str(), Some(*value))).collect();
    if measured.is_empty() {
        measured.push((LOSS, None));
    }
    let count = measured.len();
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value; count])) };
    let number = |value: Option<u64>| -> ArrayRef { Arc::new(Int64Array::from(vec![value.map(|n| n as i64); count])) };
    let time =
        |value: i64| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from_value(value, count).with_timezone("UTC")) };
    let rows = RecordBatch::try_from_iter([
        ("trial_id", text(trial_id)),
        ("task", text(&plan.task.name)),
        ("snapshot", number(Some(plan.snapshot))),
        ("seed", number(Some(seed))),
        ("trial", number(Some(candidate.trial as u64))),
        ("settings", text(settings)),
        ("valid_as_of", time(plan.valid)),
        ("best_epoch", number(outcome.best_epoch.map(|epoch| epoch as u64))),
        ("epochs", number(Some(outcome.epochs as u64))),
        ("metric", Arc::new(StringArray::from_iter_values(measured.iter().map(|(name, _)| name)))),
        ("value", Arc::new(Float64Array::from_iter(measured.iter().map(|(_, value)| *value)))),
        ("higher_is_better", Arc::new(BooleanArray::from_iter(measured.iter().map(|(name, _)| Some(*name != LOSS))))),
        ("finished_at", time(finished_at)),
        ("config", text(&config(&candidate.task))),
    ])?;
    warehouse.append(vec![(TABLE, vec![rows])], &format!("tune:{trial_id}"), "tune").await?;
    Ok(())
}
