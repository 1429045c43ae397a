//! `net_promoter((SELECT channel, score FROM …))`: how many more customers would recommend than would not, of each group, as
//! a share from −1 to 1 with its interval. A row is one customer's answer from 0 to 10; rows without one are left out.

use std::ops::Range;
use std::sync::Arc;

use analytics::experiments::Comparison;
use analytics::voice::net_promoter;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{at, engine, exactly, firsts, offsets, real, reals};
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 2] = ["a group", "an answer from 0 to 10"];

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NetPromoter {
    /// Coverage of the interval.
    level: f64,
}

impl Default for NetPromoter {
    fn default() -> Self {
        NetPromoter { level: Comparison::default().level }
    }
}

impl Algorithm for NetPromoter {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let [group, score] = exactly(columns, COLUMNS)?;
        let count = |name: &str| Arc::new(Field::new(name, DataType::Int64, false));
        let real_field = |name: &str| Arc::new(Field::new(name, DataType::Float64, false));
        let input = vec![group.data_type().clone(), real(&score)?];
        let mut output = vec![group];
        output.extend(["promoters", "passives", "detractors"].map(count));
        output.extend(["net_promoter", "low", "high"].map(real_field));
        Ok(Shape { input, sorted_by: 1, output: Arc::new(Schema::new(output)) })
    }

    fn needed(&self, _: usize) -> Range<usize> {
        1..2
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let (offsets, answers) = (offsets(rows.column(0))?, reals(rows, 1)?);
        if let Some(row) = answers.iter().position(|answer| !(0.0..=10.0).contains(answer) || answer.fract() != 0.0) {
            return Err(format!(
                "{}: an answer is {}; valid is a whole number from 0 to 10",
                at(rows, row),
                answers[row]
            ));
        }
        let groups: Vec<&[f64]> = offsets.windows(2).map(|ends| &answers[ends[0]..ends[1]]).collect();
        let counts = |kind: &dyn Fn(f64) -> bool| -> Vec<u64> {
            groups.iter().map(|group| group.iter().filter(|answer| kind(**answer)).count() as u64).collect()
        };
        let [promoters, passives, detractors] = [
            counts(&|answer| answer >= 9.0),
            counts(&|answer| (7.0..9.0).contains(&answer)),
            counts(&|answer| answer < 7.0),
        ];
        let score = |group: usize| net_promoter(promoters[group], passives[group], detractors[group], self.level);
        let scores: Vec<_> = (0..groups.len()).map(score).collect::<Result<_, _>>().map_err(|e| e.to_string())?;
        let mut columns = vec![firsts(rows.column(0), &offsets)?];
        columns.extend([promoters, passives, detractors].map(|counts| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(counts.into_iter().map(|count| count as i64)))
        }));
        let real = |value: fn(&analytics::voice::Score) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(scores.iter().map(value)))
        };
        columns.extend([real(|score| score.estimate), real(|score| score.low), real(|score| score.high)]);
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
