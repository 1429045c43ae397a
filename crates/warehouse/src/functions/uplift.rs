//! `uplift((SELECT customer_id, treated, outcome, orders, days_since_order FROM …))`: what a treatment changes for each
//! customer, learned from an experiment that treated customers at random. Customers without `treated` are not learned from,
//! only estimated: new ones, or those kept aside to judge the estimates on with `qini`.

use std::sync::Arc;

use analytics::uplift::{Method, UpliftModel, UpliftSettings};
use arrow::array::{Float64Array, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{and_more, answers, engine, real, reals, told, with_reals, without_nulls};
use super::matrix::Matrix;
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 3] = ["a customer", "whether he was treated", "what he did"];
const FEATURES: &str = "and one or more columns of what was known of him before";

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Uplift {
    /// Two models, one of each arm (logistic or linear), or one of the transformed outcome.
    #[serde(with = "MethodName")]
    method: Method,
    /// Ridge on the standardised columns.
    l2: f64,
}

#[derive(Deserialize, Serialize)]
#[serde(remote = "Method", rename_all = "snake_case")]
enum MethodName {
    TwoLogistic,
    TwoLinear,
    Transformed,
}

impl Default for Uplift {
    fn default() -> Self {
        let UpliftSettings { method, l2 } = UpliftSettings::default();
        Uplift { method, l2 }
    }
}

impl Algorithm for Uplift {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let ([customer, treated, outcome], features) = and_more(columns, COLUMNS, 1..=usize::MAX, FEATURES)?;
        let mut input = vec![customer.data_type().clone(), real(&treated)?, real(&outcome)?];
        for feature in features {
            input.push(real(&feature)?);
        }
        // All columns, because sums depend on the order.
        Ok(Shape { sorted_by: input.len(), input, output: with_reals([customer], &["effect"]) })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let Self { method, l2 } = *self;
        let of_experiment = without_nulls(rows.clone(), 1..2)?;
        if of_experiment.num_rows() == 0 {
            return Err(format!(
                "nobody is in the experiment: column \"{}\" is NULL everywhere",
                rows.schema().field(1).name()
            ));
        }
        let (treated, outcomes) = (answers(&of_experiment, 1)?, reals(&of_experiment, 2)?);
        let Matrix { x, columns } = Matrix::of(&of_experiment, COLUMNS.len()..)?;
        let model = UpliftModel::fit(UpliftSettings { method, l2 }, &x, columns, &outcomes, &treated);
        let model = model.map_err(|e| told(&of_experiment, e))?;
        let effects = model.effects(&Matrix::of(rows, COLUMNS.len()..)?.x).map_err(|e| told(rows, e))?;
        let columns = vec![Arc::clone(rows.column(0)), Arc::new(Float64Array::from(effects))];
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
