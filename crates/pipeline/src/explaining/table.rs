//! Rows of `models.importance`.

use super::{ExplainedInput, Explanation};
use crate::error::Result;
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use std::sync::Arc;

/// A row per input and metric.
pub(super) fn batch(explanation: &Explanation, recorded_at: i64) -> Result<RecordBatch> {
    let Explanation { task, run_id, as_of: _, customers, repeats, metrics, inputs, test } = explanation;
    let rows: Vec<(&ExplainedInput, usize)> =
        inputs.iter().flat_map(|input| (0..metrics.len()).map(move |metric| (input, metric))).collect();
    let every = |value: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(|_| value))) };
    let text = |of: &dyn Fn(&ExplainedInput) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(rows.iter().map(|(input, _)| of(input))))
    };
    let number = |of: &dyn Fn(&ExplainedInput, usize) -> Option<f64>| -> ArrayRef {
        Arc::new(Float64Array::from_iter(rows.iter().map(|(input, metric)| of(input, *metric))))
    };
    let count = |value: usize| -> ArrayRef { Arc::new(Int64Array::from_value(value as i64, rows.len())) };
    let time =
        |at: i64| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from_value(at, rows.len()).with_timezone("UTC")) };
    let names = StringArray::from_iter_values(rows.iter().map(|(_, metric)| metrics[*metric].metric.as_str()));
    let useless = BooleanArray::from_iter(rows.iter().map(|(input, _)| input.is_useless));
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("task", every(task), true),
        ("run_id", every(run_id), true),
        ("as_of", time(*test), true),
        ("grouping", text(&|input| Some(input.grouping.name().into())), true),
        ("input_group", text(&|input| input.group.clone()), true),
        ("input", text(&|input| Some(input.input.clone())), true),
        ("metric", Arc::new(names), true),
        ("importance", number(&|input, metric| Some(input.importance[metric].mean)), true),
        ("deviation", number(&|input, metric| Some(input.importance[metric].deviation)), true),
        ("repeats", count(*repeats), true),
        ("customers", count(*customers), true),
        ("is_useless", Arc::new(useless), true),
        ("redundant_with", text(&|input| input.redundancy.as_ref().map(|found| found.with.clone())), true),
        ("correlation", number(&|input, _| input.redundancy.as_ref().map(|found| found.correlation)), true),
        ("recorded_at", time(recorded_at), true),
    ])?)
}
