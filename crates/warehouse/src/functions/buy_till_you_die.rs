//! `buy_till_you_die((SELECT customer_id, repeat_days, recency_days, age_days, repeat_amount FROM insights.buying_summary))`:
//! how often each customer is expected to buy again, from how often and how lately he did.

use std::sync::Arc;

use analytics::btyd::{BgNbd, GammaGamma, ParetoNbd, PurchaseModel, Summary};
use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::Deserialize;

use super::columns::{exactly, real, reals, told};
use super::{Algorithm, Problem, Shape};
use crate::session::DEFAULT_HORIZON_DAYS;

/// Settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BuyTillYouDie {
    model: Model,
    /// Days ahead.
    horizon: u32,
}

/// The models of purchase counts.
#[derive(Debug, Clone, Copy, Deserialize)]
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

/// What comes after the customer.
const RESULTS: [&str; 4] = ["p_alive", "p_no_purchase", "expected_purchases", "expected_value"];

impl Algorithm for BuyTillYouDie {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let wanted = ["a customer", "his repeat purchases", "days from the first to the last", "days since the first"];
        let [customer, x, t_x, t, value] =
            exactly(columns, [wanted[0], wanted[1], wanted[2], wanted[3], "mean value of the repeat purchases"])?;
        let input = vec![customer.data_type().clone(), real(&x)?, real(&t_x)?, real(&t)?, real(&value)?];
        let results = RESULTS.map(|name| Arc::new(Field::new(name, DataType::Float64, false)));
        let output = Schema::new([customer].into_iter().chain(results).collect::<Vec<_>>());
        Ok(Shape { input, sorted_by: 1, output: Arc::new(output) })
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
        RecordBatch::try_new(Arc::clone(output), columns).map_err(|e| e.to_string())
    }
}
