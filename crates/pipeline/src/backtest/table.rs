//! Rows of `models.backtests`: how origins were judged, and which of them need not be trained again.

use super::Origin;
use crate::columns::Rows;
use crate::dataset;
use crate::error::Result;
use crate::evaluation::{Interval, Role, Row, verdict};
use crate::runs::Plan;
use crate::same_data::{SameData, config};
use crate::task::Task;
use crate::time::{date, now};
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::Snapshot;
use warehouse::{Spine, Warehouse};

const TABLE: &str = "models.backtests";

/// The origins of a task, with the settings that it has, that read the same data as the newest snapshot has, by their test cut-off.
pub(super) async fn known(warehouse: &Warehouse, task: &Task, newest: &Snapshot) -> Result<BTreeMap<i64, Origin>> {
    let session = dataset::session(warehouse, newest.id, Spine::Default, None).await?;
    let query = format!("SELECT * FROM {TABLE} ORDER BY finished_at, place");
    let rows: Rows = dataset::rows(&session, TABLE, &query).await?;
    let (configs, snapshots, as_of) = (rows.texts("config")?, rows.numbers("snapshot")?, rows.times("as_of")?);
    let (cutoffs, examples) = (rows.numbers("train_cutoffs")?, rows.numbers("examples")?);
    let (metrics, models, flags) = (rows.texts("metric")?, rows.texts("model")?, rows.flags("higher_is_better")?);
    let value = intervals(&rows, ["value", "low", "high"])?;
    let difference = intervals(&rows, ["difference", "difference_low", "difference_high"])?;
    let (mut same, config) = (SameData::new(warehouse, newest), config(task));
    let mut found: BTreeMap<i64, Origin> = BTreeMap::new();
    for i in 0..rows.len() {
        let (Some(snapshot), Some(as_of), Some(metric), Some(model)) =
            (snapshots[i], as_of[i], metrics[i].clone(), models[i].clone())
        else {
            continue;
        };
        let Some(value) = value[i] else { continue };
        if configs[i].as_deref() != Some(&config) || !same.has(snapshot as u64).await? {
            continue;
        }
        let higher_is_better = flags[i].unwrap_or_default();
        let said = difference[i].map_or("", |difference| verdict(Role::Baseline, higher_is_better, difference));
        let row = Row { metric, model, higher_is_better, value, difference: difference[i], verdict: said.into() };
        let origin = found.entry(as_of).or_insert_with(|| Origin {
            as_of: date(as_of),
            train_cutoffs: cutoffs[i].unwrap_or_default() as usize,
            examples: examples[i].unwrap_or_default() as usize,
            rows: Vec::new(),
            was_known: true,
        });
        // Two backtests at once may have judged the same.
        if !origin.rows.iter().any(|known| known.metric == row.metric && known.model == row.model) {
            origin.rows.push(row);
        }
    }
    Ok(found)
}

fn intervals(rows: &Rows, [estimate, low, high]: [&str; 3]) -> Result<Vec<Option<Interval>>> {
    let ends = rows.numbers(low)?.into_iter().zip(rows.numbers(high)?);
    let all = rows.numbers(estimate)?.into_iter().zip(ends);
    Ok(all.map(|(estimate, (low, high))| Some(Interval { estimate: estimate?, low: low?, high: high? })).collect())
}

/// Appends an origin, one row a metric and model.
pub(super) async fn keep(warehouse: &Warehouse, plan: &Plan, origin: &Origin) -> Result<()> {
    let (count, rows) = (origin.rows.len(), &origin.rows);
    let text = |of: fn(&Row) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(of))) };
    let same = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value; count])) };
    let number = |value: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![value; count])) };
    let time =
        |value: i64| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from_value(value, count).with_timezone("UTC")) };
    let measured = |of: fn(&Row) -> Option<f64>| -> ArrayRef { Arc::new(Float64Array::from_iter(rows.iter().map(of))) };
    let rows = RecordBatch::try_from_iter([
        ("backtest_id", same(&plan.run_id)),
        ("task", same(&plan.task.name)),
        ("snapshot", number(plan.snapshot as i64)),
        ("as_of", time(plan.test)),
        ("train_cutoffs", number(origin.train_cutoffs as i64)),
        ("examples", number(origin.examples as i64)),
        ("place", Arc::new(Int64Array::from_iter_values(1..=count as i64))),
        ("metric", text(|row| &row.metric)),
        ("model", text(|row| &row.model)),
        ("value", measured(|row| Some(row.value.estimate))),
        ("low", measured(|row| Some(row.value.low))),
        ("high", measured(|row| Some(row.value.high))),
        ("difference", measured(|row| Some(row.difference?.estimate))),
        ("difference_low", measured(|row| Some(row.difference?.low))),
        ("difference_high", measured(|row| Some(row.difference?.high))),
        (
            "higher_is_better",
            Arc::new(BooleanArray::from_iter(rows.iter().map(|row| Some(row.higher_is_better)))) as ArrayRef,
        ),
        ("finished_at", time(now())),
        ("config", same(&config(&plan.task))),
    ])?;
    warehouse.append(vec![(TABLE, vec![rows])], &format!("backtest:{}", plan.run_id), "backtest").await?;
    Ok(())
}
