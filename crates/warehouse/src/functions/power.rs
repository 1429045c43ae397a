//! `power((SELECT test, rate, NULL, effect FROM …), power => 0.9)`: how many customers an experiment takes. A row is a test that
//! is planned: what the control has without it, the deviation of a customer (NULL for a rate), and the difference that is to be
//! seen.

use std::sync::Arc;

use analytics::experiments::Design;
use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{all_present, at, engine, exactly, real, real_or_null, reals};
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 4] = [
    "a test",
    "the control's rate or mean",
    "the deviation of a customer, NULL for a rate",
    "the difference that is to be seen",
];
const RESULTS: [&str; 3] = ["control_customers", "treatment_customers", "customers"];

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Power {
    /// Chance of seeing a difference that is there.
    power: f64,
    /// 1 less the chance of seeing one that is not.
    level: f64,
    /// Customers of the treatment per customer of the control.
    ratio: f64,
}

impl Default for Power {
    fn default() -> Self {
        let Design { level, power, ratio } = Design::default();
        Power { power, level, ratio }
    }
}

/// More than there are people.
const MOST_CUSTOMERS: f64 = 1e12;

impl Algorithm for Power {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let [test, baseline, deviation, effect] = exactly(columns, COLUMNS)?;
        let input = vec![test.data_type().clone(), real(&baseline)?, real_or_null(&deviation)?, real(&effect)?];
        let counts = RESULTS.map(|name| Arc::new(Field::new(name, DataType::Int64, false)));
        Ok(Shape {
            input,
            sorted_by: COLUMNS.len(),
            output: Arc::new(Schema::new([test].into_iter().chain(counts).collect::<Vec<_>>())),
        })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        all_present(rows, 0)?;
        let Self { power, level, ratio } = *self;
        let design = Design { level, power, ratio };
        let (baselines, effects) = (reals(rows, 1)?, reals(rows, 3)?);
        let deviations = rows.column(2);
        let mut sizes = Vec::with_capacity(rows.num_rows());
        for row in 0..rows.num_rows() {
            let found = match deviations.is_null(row) {
                true => design.rows_for_rates(baselines[row], baselines[row] + effects[row]),
                false => design.rows_for_means(effects[row], reals(&rows.slice(row, 1), 2)?[0]),
            };
            let size = found.map_err(|e| format!("{}: {e}", at(rows, row)))?;
            if size * (1.0 + ratio) > MOST_CUSTOMERS {
                return Err(format!(
                    "{}: it takes {:.1e} customers: ask for a larger effect",
                    at(rows, row),
                    size * (1.0 + ratio)
                ));
            }
            sizes.push(size);
        }
        let control: Vec<i64> = sizes.iter().map(|size| size.ceil() as i64).collect();
        let treatment: Vec<i64> = sizes.iter().map(|size| (size * ratio).ceil() as i64).collect();
        let all: Vec<i64> = control.iter().zip(&treatment).map(|(control, treatment)| control + treatment).collect();
        let mut columns: Vec<ArrayRef> = vec![Arc::clone(rows.column(0))];
        columns.extend([control, treatment, all].map(|counts| -> ArrayRef { Arc::new(Int64Array::from(counts)) }));
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
