//! `survival((SELECT main_channel, days, has_left FROM …))`: what share of each group is still there after how long, by
//! Kaplan and Meier: a row that was not observed to its end counts for as long as it was. Rows without a value are left out.

use std::ops::Range;
use std::sync::Arc;

use analytics::bootstrap::Bootstrap;
use analytics::survival::{Step, kaplan_meier};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{answers, at, engine, exactly, offsets, real, reals};
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 3] = ["a group", "how long it was observed", "whether the event ended it"];

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Survival {
    /// Coverage of the intervals.
    level: f64,
}

impl Default for Survival {
    fn default() -> Self {
        Survival { level: Bootstrap::default().level }
    }
}

impl Algorithm for Survival {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let [group, duration, ended] = exactly(columns, COLUMNS)?;
        let input = vec![group.data_type().clone(), real(&duration)?, real(&ended)?];
        let count = |name: &str| Arc::new(Field::new(name, DataType::Int64, false));
        let real = |name: &str| Arc::new(Field::new(name, DataType::Float64, false));
        let mut output = vec![group, real("time")];
        output.extend(["at_risk", "events"].map(count));
        output.extend(["survival", "low", "high"].map(real));
        Ok(Shape { input, sorted_by: 1, output: Arc::new(Schema::new(output)) })
    }

    fn needed(&self, _: usize) -> Range<usize> {
        0..COLUMNS.len()
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let (offsets, durations, ended) = (offsets(rows.column(0))?, reals(rows, 1)?, answers(rows, 2)?);
        let mut steps: Vec<(u32, Step)> = Vec::new();
        for group in offsets.windows(2).map(|ends| ends[0]..ends[1]) {
            let curve = kaplan_meier(&durations[group.clone()], &ended[group.clone()], self.level);
            let curve = curve.map_err(|e| format!("{}: {e}", at(rows, group.start)))?;
            steps.extend(curve.steps.into_iter().map(|step| (group.start as u32, step)));
        }
        let groups = UInt32Array::from_iter_values(steps.iter().map(|(row, _)| *row));
        let count = |of: fn(&Step) -> u64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(steps.iter().map(|(_, step)| of(step) as i64)))
        };
        let real = |of: fn(&Step) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(steps.iter().map(|(_, step)| of(step))))
        };
        let columns = vec![
            take(rows.column(0), &groups, None).map_err(engine)?,
            real(|step| step.time),
            count(|step| step.at_risk),
            count(|step| step.events),
            real(|step| step.survival),
            real(|step| step.low),
            real(|step| step.high),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
