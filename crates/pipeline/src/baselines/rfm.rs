//! Logistic regression on recency, frequency and monetary value: the churn model that anybody writes first.

use crate::dataset::{self, Labels, Outcome};
use crate::error::Result;
use crate::runs::Plan;
use analytics::logistic::Logistic;
use std::collections::HashMap;
use warehouse::Warehouse;

/// Ridge of the logistic regression on standardised inputs; only keeps separable data finite.
const RIDGE: f64 = 1e-3;
/// What the logistic regression reads: recency, frequency, monetary value, and how long the customer is known.
const RFM: [&str; 4] = ["days_since_order", "count_orders", "total_amount", "days_since_first_order"];

/// Churn probabilities of a logistic regression on RFM, fitted on the run's training cut-offs.
pub(crate) async fn logistic(warehouse: &Warehouse, plan: &Plan, test: &Labels) -> Result<Vec<f64>> {
    let labels = dataset::labels(warehouse, plan.snapshot, &plan.task, &plan.train).await?;
    let churned: Vec<bool> = labels.outcomes.iter().map(|o| *o == Outcome::Churned(true)).collect();
    let inputs = rfm(warehouse, plan, &plan.train, &labels).await?;
    let model = Logistic::fit(&inputs, RFM.len(), &churned, RIDGE)?;
    Ok(model.predict(&rfm(warehouse, plan, &[plan.test], test).await?)?)
}

/// log(1 + x) of [`RFM`] for each label's key, row by row.
async fn rfm(warehouse: &Warehouse, plan: &Plan, cutoffs: &[i64], labels: &Labels) -> Result<Vec<f64>> {
    let session = dataset::session(warehouse, plan.snapshot, dataset::cut_offs(cutoffs), None).await?;
    // Not features.customer, which computes every family.
    let query = format!(
        "SELECT r.customer_id, r.as_of, {} FROM features.recency r \
        JOIN features.frequency f ON f.customer_id = r.customer_id AND f.as_of = r.as_of \
        JOIN features.value v ON v.customer_id = r.customer_id AND v.as_of = r.as_of \
        JOIN features.tenure t ON t.customer_id = r.customer_id AND t.as_of = r.as_of",
        RFM.join(", ")
    );
    let rows = dataset::rows(&session, "features", &query).await?;
    let columns = RFM.iter().map(|name| rows.numbers(name)).collect::<Result<Vec<_>>>()?;
    let place: HashMap<(String, i64), usize> = rows.keys()?.into_iter().zip(0..).collect();
    let input = |row: usize, column: &Vec<Option<f64>>| column[row].unwrap_or(0.0).max(0.0).ln_1p();
    let of = |key| place.get(key).copied().unwrap_or_default();
    Ok(labels.keys.iter().flat_map(|key| columns.iter().map(move |column| input(of(key), column))).collect())
}
