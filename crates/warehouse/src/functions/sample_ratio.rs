//! `sample_ratio((SELECT arm, count(*) FROM core.assignments GROUP BY arm))`: whether the arms of an experiment are as large
//! as they were meant to be: alike, or in proportion to a third column. A p value below 0.001 says that the split or the
//! log is broken, and no effect measured on it can be trusted.

use std::sync::Arc;

use analytics::experiments::sample_ratio;
use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{all_present, and_more, at, engine, offsets, real, reals, told, whole};
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 2] = ["an arm", "its number of customers"];
const SHARE: &str = "and maybe the share that it was meant to get";

/// There are no settings.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SampleRatio {}

impl Algorithm for SampleRatio {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let ([arm, count], share) = and_more(columns, COLUMNS, 0..=1, SHARE)?;
        let mut input = vec![arm.data_type().clone(), whole(&count)?];
        for share in share {
            input.push(real(&share)?);
        }
        let real = |name: &str| Arc::new(Field::new(name, DataType::Float64, false));
        let customers = Arc::new(Field::new("customers", DataType::Int64, false));
        let output = vec![arm, customers, real("expected"), real("chi_square"), real("p_value")];
        Ok(Shape { input, sorted_by: 1, output: Arc::new(Schema::new(output)) })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        all_present(rows, 0)?;
        if let Some(run) = offsets(rows.column(0))?.windows(2).find(|run| run[1] - run[0] > 1) {
            return Err(format!("{} is in {} rows; each arm must be in one", at(rows, run[0]), run[1] - run[0]));
        }
        let counts = rows.column(1).as_primitive::<Int64Type>();
        let count = |(row, count): (usize, Option<i64>)| {
            count.and_then(|count| u64::try_from(count).ok()).ok_or_else(|| {
                let found = count.map_or("NULL".into(), |count| count.to_string());
                format!("{}: its number of customers is {found}; valid is 0 or more", at(rows, row))
            })
        };
        let found: Vec<u64> = counts.iter().enumerate().map(count).collect::<Result<_, _>>()?;
        let shares = match rows.num_columns() {
            3 => reals(rows, 2)?,
            _ => vec![1.0; found.len()],
        };
        let ratio = sample_ratio(&found, &shares).map_err(|e| told(rows, e))?;
        let customers: f64 = found.iter().map(|count| *count as f64).sum();
        let total: f64 = shares.iter().sum();
        let real = |value: &dyn Fn(usize) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values((0..found.len()).map(value)))
        };
        let columns = vec![
            Arc::clone(rows.column(0)),
            Arc::clone(rows.column(1)),
            real(&|arm| shares[arm] / total * customers),
            real(&|_| ratio.chi_square),
            real(&|_| ratio.p_value),
        ];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
