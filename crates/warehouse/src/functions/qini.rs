//! `qini((SELECT treated, outcome, effect FROM …))`: what is won by treating those of highest score first, on customers of
//! an experiment that treated at random. A point says how many of highest score, and how many more of the treated among
//! them did than would have untreated. The coefficient is that of the whole curve: 1 for a perfect score, 0 for chance.

use std::sync::Arc;

use analytics::uplift::{UpliftCurve, auc, curve};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{answers, engine, exactly, real, reals};
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 3] = ["whether a customer was treated", "whether he did", "a score"];

/// There are no settings.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Qini {}

impl Algorithm for Qini {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let [treated, outcome, score] = exactly(columns, COLUMNS)?;
        let output = Schema::new(vec![
            Field::new("customers", DataType::Int64, false),
            Field::new("gain", DataType::Float64, false),
            Field::new("coefficient", DataType::Float64, false),
        ]);
        let input = vec![real(&treated)?, real(&outcome)?, real(&score)?];
        Ok(Shape { input, sorted_by: 0, output: Arc::new(output) })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let (treated, outcomes, scores) = (answers(rows, 0)?, answers(rows, 1)?, reals(rows, 2)?);
        let points = curve(UpliftCurve::Qini, &outcomes, &scores, &treated).map_err(|e| e.problem())?;
        let coefficient = auc(UpliftCurve::Qini, &outcomes, &scores, &treated).map_err(|e| e.problem())?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(points.iter().map(|point| point.rows as i64))),
            Arc::new(Float64Array::from_iter_values(points.iter().map(|point| point.gain))),
            Arc::new(Float64Array::from(vec![coefficient; points.len()])),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
