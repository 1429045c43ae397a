//! Rows of `models.metrics`.

use crate::error::Result;
use crate::evaluation::{Evaluation, Interval, Row};
use crate::runs::Run;
use crate::slices::Slice;
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use std::sync::Arc;

/// One metric of one model; an interval where it was bootstrapped.
#[derive(Clone, Debug)]
pub(crate) struct MetricRow {
    run_id: String,
    task: String,
    /// train, valid or test.
    split: String,
    epoch: Option<i64>,
    model: String,
    protocol: String,
    metric: String,
    /// Of all customers without it.
    slice: Option<String>,
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
    higher_is_better: bool,
}

/// The name of our model beside baselines.
pub(crate) const OURS: &str = "perennial";

impl MetricRow {
    /// A metric of an epoch of training.
    pub(crate) fn training(run: &Run, epoch: usize, split: &str, metric: &str, value: f64) -> MetricRow {
        MetricRow {
            run_id: run.run_id.clone(),
            task: run.task.clone(),
            split: split.into(),
            epoch: Some(epoch as i64),
            model: OURS.into(),
            protocol: "time split".into(),
            metric: metric.into(),
            slice: None,
            value,
            low: None,
            high: None,
            higher_is_better: metric != "loss",
        }
    }

    /// A line of an evaluation.
    pub(crate) fn test(evaluation: &Evaluation, row: &Row) -> MetricRow {
        MetricRow::tested(evaluation, &row.model, &row.metric, row.higher_is_better, row.value)
    }

    /// Our model on a part of the customers, and the best baseline there.
    pub(crate) fn of_slice(evaluation: &Evaluation, slice: &Slice) -> Vec<MetricRow> {
        let ours = std::iter::once((OURS, slice.value));
        let baseline = slice.baseline.as_ref().map(|beside| (beside.model.as_str(), beside.value));
        let row = |(model, value)| MetricRow {
            slice: Some(slice.slice.clone()),
            ..MetricRow::tested(evaluation, model, &slice.metric, slice.higher_is_better, value)
        };
        ours.chain(baseline).map(row).collect()
    }

    /// The same of an evaluation over so many days that are not the task's horizon.
    pub(crate) fn over(self, days: Option<u32>) -> MetricRow {
        let part = days.map(|days| format!("horizon: {days} days"));
        let slice: Vec<String> = part.into_iter().chain(self.slice).collect();
        MetricRow { slice: (!slice.is_empty()).then(|| slice.join(", ")), ..self }
    }

    fn tested(
        evaluation: &Evaluation,
        model: &str,
        metric: &str,
        higher_is_better: bool,
        value: Interval,
    ) -> MetricRow {
        MetricRow {
            run_id: evaluation.run_id.clone(),
            task: evaluation.task.clone(),
            split: "test".into(),
            epoch: None,
            model: model.into(),
            protocol: evaluation.protocol.clone(),
            metric: metric.into(),
            slice: None,
            value: value.estimate,
            low: Some(value.low),
            high: Some(value.high),
            higher_is_better,
        }
    }
}

pub(crate) fn metric_rows(rows: &[MetricRow], recorded_at: i64) -> Result<RecordBatch> {
    let text =
        |of: fn(&MetricRow) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(of))) };
    let number =
        |of: fn(&MetricRow) -> Option<f64>| -> ArrayRef { Arc::new(Float64Array::from_iter(rows.iter().map(of))) };
    let recorded = TimestampMicrosecondArray::from_value(recorded_at, rows.len()).with_timezone("UTC");
    Ok(RecordBatch::try_from_iter([
        ("run_id", text(|r| &r.run_id)),
        ("task", text(|r| &r.task)),
        ("split", text(|r| &r.split)),
        ("epoch", Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.epoch))) as ArrayRef),
        ("model", text(|r| &r.model)),
        ("protocol", text(|r| &r.protocol)),
        ("metric", text(|r| &r.metric)),
        ("slice", Arc::new(StringArray::from_iter(rows.iter().map(|r| r.slice.as_deref())))),
        ("value", number(|r| Some(r.value))),
        ("low", number(|r| r.low)),
        ("high", number(|r| r.high)),
        ("higher_is_better", Arc::new(BooleanArray::from_iter(rows.iter().map(|r| Some(r.higher_is_better))))),
        ("recorded_at", Arc::new(recorded)),
    ])?)
}
