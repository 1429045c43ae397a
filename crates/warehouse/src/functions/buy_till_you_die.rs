//! `buy_till_you_die((SELECT customer_id, repeat_days, recency_days, age_days, repeat_amount FROM insights.buying_summary))`:
//! how often each customer is expected to buy again, from how often and how lately he did.

use std::sync::Arc;

use analytics::btyd::{BgNbd, GammaGamma, ParetoNbd, PurchaseModel, Summary};
use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{engine, exactly, real, reals, told, with_reals};
use super::{Algorithm, Problem, Shape};
use crate::session::DEFAULT_HORIZON_DAYS;

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BuyTillYouDie {
    /// Of purchases and leaving; amounts are by Gamma-Gamma.
    model: Model,
    /// Days ahead.
    horizon: u32,
}

/// The models of purchase counts.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Model {
    ParetoNbd,
    BgNbd,
}

impl Default for BuyTillYouDie {
    fn default() -> Self {
        BuyTillYouDie { model: Model::ParetoNbd, horizon: DEFAULT_HORIZON_DAYS }
    }
}

const COLUMNS: [&str; 5] = [
    "a customer",
    "his repeat purchases",
    "days from the first purchase to the last",
    "days since the first",
    "mean value of the repeat purchases",
];
/// What comes after the customer.
const RESULTS: [&str; 4] = ["p_alive", "p_no_purchase", "expected_purchases", "expected_value"];

impl Algorithm for BuyTillYouDie {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let [customer, x, t_x, t, value] = exactly(columns, COLUMNS)?;
        let input = vec![customer.data_type().clone(), real(&x)?, real(&t_x)?, real(&t)?, real(&value)?];
        Ok(Shape { input, sorted_by: 1, output: with_reals([customer], &RESULTS) })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let [x, t_x, t, value] = [1, 2, 3, 4].map(|column| reals(rows, column));
        let (x, t_x, t, value) = (x?, t_x?, t?, value?);
        let summary = |row: usize| Summary { x: x[row], t_x: t_x[row], t: t[row], value: value[row] };
        let customers: Vec<Summary> = (0..rows.num_rows()).map(summary).collect();
        let forecast = |model: &dyn PurchaseModel| model.forecast(&customers, self.horizon.into());
        let forecasts = match self.model {
            Model::ParetoNbd => ParetoNbd::fit(&customers).and_then(|model| forecast(&model)),
            Model::BgNbd => BgNbd::fit(&customers).and_then(|model| forecast(&model)),
        };
        let forecasts = forecasts.map_err(|e| told(rows, e))?;
        let worth = GammaGamma::fit(&customers).map_err(|e| told(rows, e))?;
        let value = customers.iter().zip(&forecasts).map(|(customer, f)| f.expected * worth.expected_value(customer));
        let results: [Float64Array; 4] = [
            forecasts.iter().map(|f| Some(f.p_alive)).collect(),
            forecasts.iter().map(|f| Some(f.p_zero)).collect(),
            forecasts.iter().map(|f| Some(f.expected)).collect(),
            value.map(Some).collect(),
        ];
        let results = results.into_iter().map(|result| Arc::new(result) as ArrayRef);
        let columns = [Arc::clone(rows.column(0))].into_iter().chain(results).collect();
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
