//! Logistic regression on recency, frequency and monetary value: the model that anybody writes first, of churn above all.

use crate::dataset::Outcome;
use crate::error::Result;
use crate::features::Features;
use analytics::logistic::Logistic;

use super::Known;

/// Ridge of the logistic regression on standardised inputs; only keeps separable data finite.
const RIDGE: f64 = 1e-3;
/// What the logistic regression reads: recency, frequency, monetary value, and how long the customer is known.
const RFM: [&str; 4] = ["days_since_order", "count_orders", "total_amount", "days_since_first_order"];

/// Probabilities of a logistic regression on RFM, fitted on the run's training cut-offs.
pub(crate) fn logistic(known: &Known, test: &Features) -> Result<Vec<f64>> {
    let happened: Vec<bool> = known.train.labels.outcomes.iter().map(Outcome::has_happened).collect();
    let model = Logistic::fit(&rfm(&known.train.features)?, RFM.len(), &happened, RIDGE)?;
    Ok(model.predict(&rfm(test)?)?)
}

/// log(1 + x) of [`RFM`], row by row.
fn rfm(features: &Features) -> Result<Vec<f64>> {
    let chosen = Features::select(&[features], &RFM.map(str::to_owned))?;
    let input = |x: f32| if x > 0.0 { f64::from(x).ln_1p() } else { 0.0 };
    Ok(chosen.values().iter().map(|&x| input(x)).collect())
}
