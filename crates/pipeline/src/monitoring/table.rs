//! Rows of `models.monitoring`.

use super::drift::Drift;
use super::{MonitorLine, Scoring, decays};
use crate::dataset;
use crate::error::Result;
use crate::evaluation::{Interval, Row};
use crate::time::date;
use analytics::drift::PopulationStability;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use std::collections::BTreeSet;
use std::sync::Arc;
use warehouse::{Session, Spine, Warehouse};

const PSI: &str = "psi";

/// A number to be recorded.
pub(super) struct Measurement {
    scoring: Scoring,
    metric: String,
    feature: Option<String>,
    customers: i64,
    value: f64,
    /// Of the bootstrap interval.
    ends: Option<(f64, f64)>,
    test_value: Option<f64>,
    flag: Option<&'static str>,
}

/// What was measured of a run's scores at a cut-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Drift,
    Outcome {
        scored_at: i64,
        /// With the values at the test cut-off beside it.
        is_compared: bool,
    },
}

impl Measurement {
    pub(super) fn drift(scoring: &Scoring, drift: &Drift) -> Measurement {
        Measurement {
            scoring: scoring.clone(),
            metric: PSI.into(),
            feature: Some(drift.feature.clone()),
            customers: drift.customers as i64,
            value: drift.psi,
            ends: None,
            test_value: None,
            flag: (drift.psi > PopulationStability::MUCH).then_some("drift"),
        }
    }

    pub(super) fn outcome(scoring: &Scoring, row: &Row, customers: usize, test_value: Option<f64>) -> Measurement {
        let Interval { estimate, low, high } = row.value;
        let is_worse = test_value.is_some_and(|at_test| decays(row.value, at_test, row.higher_is_better));
        Measurement {
            scoring: scoring.clone(),
            metric: row.metric.clone(),
            feature: None,
            customers: customers as i64,
            value: estimate,
            ends: Some((low, high)),
            test_value,
            flag: is_worse.then_some("decay"),
        }
    }
}

pub(super) fn batch(rows: &[Measurement], recorded_at: i64) -> Result<RecordBatch> {
    let text =
        |of: fn(&Measurement) -> Option<&str>| -> ArrayRef { Arc::new(StringArray::from_iter(rows.iter().map(of))) };
    let number =
        |of: fn(&Measurement) -> Option<f64>| -> ArrayRef { Arc::new(Float64Array::from_iter(rows.iter().map(of))) };
    let time = |of: &dyn Fn(&Measurement) -> i64| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(of)).with_timezone("UTC"))
    };
    Ok(RecordBatch::try_from_iter([
        ("task", text(|r| Some(&r.scoring.task))),
        ("run_id", text(|r| Some(&r.scoring.run_id))),
        ("as_of", time(&|r| r.scoring.as_of)),
        ("scored_at", time(&|r| r.scoring.scored_at)),
        ("metric", text(|r| Some(&r.metric))),
        ("feature", text(|r| r.feature.as_deref())),
        ("customers", Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.customers)))),
        ("value", number(|r| Some(r.value))),
        ("low", number(|r| r.ends.map(|(low, _)| low))),
        ("high", number(|r| r.ends.map(|(_, high)| high))),
        ("test_value", number(|r| r.test_value)),
        ("flag", text(|r| r.flag)),
        ("recorded_at", time(&|_| recorded_at)),
    ])?)
}

/// What was measured before, by run and cut-off.
pub(super) async fn measured(session: &Session) -> Result<BTreeSet<(String, i64, Kind)>> {
    let query = "SELECT run_id, as_of, scored_at, feature IS NOT NULL AS is_drift, \
        count(test_value) > 0 AS is_compared FROM models.monitoring \
        GROUP BY run_id, as_of, scored_at, feature IS NOT NULL, recorded_at";
    let rows = dataset::rows(session, "models.monitoring", query).await?;
    let time = |column| rows.required(column, rows.times(column)?, "time without NULL");
    let runs = rows.required("run_id", rows.texts("run_id")?, "text without NULL")?;
    let flags = rows.flags("is_drift")?.into_iter().zip(rows.flags("is_compared")?);
    let keys = runs.into_iter().zip(time("as_of")?).zip(time("scored_at")?.into_iter().zip(flags));
    let of = |((run_id, as_of), (scored_at, (is_drift, is_compared)))| match is_drift == Some(true) {
        true => (run_id, as_of, Kind::Drift),
        false => (run_id, as_of, Kind::Outcome { scored_at, is_compared: is_compared == Some(true) }),
    };
    Ok(keys.map(of).collect())
}

/// The newest of each number, by task and cut-off, metrics before features.
pub(super) async fn lines(warehouse: &Warehouse) -> Result<Vec<MonitorLine>> {
    let snapshot = warehouse.store().snapshot().await?.id;
    let session = dataset::session(warehouse, snapshot, Spine::Default, None).await?;
    let query = "SELECT * FROM models.monitoring \
        QUALIFY row_number() OVER (PARTITION BY task, run_id, as_of, metric, feature ORDER BY recorded_at DESC) = 1 \
        ORDER BY task, as_of, run_id, feature NULLS FIRST, metric";
    let rows = dataset::rows(&session, "models.monitoring", query).await?;
    let text = |column| rows.required(column, rows.texts(column)?, "text without NULL");
    let number = |column| rows.required(column, rows.numbers(column)?, "number without NULL");
    let (tasks, runs, metrics) = (text("task")?, text("run_id")?, text("metric")?);
    let times = rows.required("as_of", rows.times("as_of")?, "time without NULL")?;
    let (customers, values) = (number("customers")?, number("value")?);
    let (low, high, test) = (rows.numbers("low")?, rows.numbers("high")?, rows.numbers("test_value")?);
    let (features, flags) = (rows.texts("feature")?, rows.texts("flag")?);
    let line = |row: usize| MonitorLine {
        task: tasks[row].clone(),
        run_id: runs[row].clone(),
        as_of: date(times[row]),
        metric: metrics[row].clone(),
        feature: features[row].clone(),
        customers: customers[row] as u64,
        value: values[row],
        low: low[row],
        high: high[row],
        test_value: test[row],
        flag: flags[row].clone(),
    };
    Ok((0..rows.len()).map(line).collect())
}
