//! Defines [`deciles`]: the gains table of predictions. Ten rows that show what a single number hides: where a model is
//! right, where it is too high, and how much of what happened the customers hold whom one would call first.

use crate::error::{Result, all_finite, not_empty, same_length};
use crate::statistic::{Ordered, parts};

/// A tenth of the rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decile {
    /// 1 has the highest predictions.
    pub decile: usize,
    pub rows: usize,
    pub mean_predicted: f64,
    pub mean_actual: f64,
    /// Mean actual value over that of all rows; `None` where theirs is not above 0.
    pub lift: Option<f64>,
    /// Share of the actual total in this and the higher deciles; `None` where the total is not above 0.
    pub gains: Option<f64>,
}

const DECILES: u64 = 10;

/// Deciles of the predicted values, the highest first; fewer than ten for fewer than ten rows. Sizes differ by one at
/// most. Rows of equal predictions on both sides of a cut share their actual values evenly.
///
/// # Errors
/// No rows; columns of different length; a value that is not finite.
pub fn deciles(actual: &[f64], predicted: &[f64]) -> Result<Vec<Decile>> {
    same_length("predicted values", actual.len(), predicted.len())?;
    not_empty("deciles", actual.len())?;
    all_finite("actual value", actual)?;
    all_finite("predicted value", predicted)?;
    let order = Ordered::by(predicted);
    let parts = parts(&order, &vec![1; actual.len()], [actual, predicted], DECILES);
    let total: f64 = parts.iter().map(|part| part.sums[0]).sum();
    let mean = total / actual.len() as f64;
    let of_total = |value: f64, whole: f64| (total > 0.0).then(|| value / whole);
    let mut so_far = 0.0;
    let decile = |(place, part): (usize, &crate::statistic::Part<2>)| {
        let [actual, predicted] = part.sums;
        so_far += actual;
        Decile {
            decile: place + 1,
            rows: part.weight as usize,
            mean_predicted: predicted / part.weight,
            mean_actual: actual / part.weight,
            lift: of_total(actual / part.weight, mean),
            gains: of_total(so_far, total),
        }
    };
    Ok(parts.iter().rev().filter(|part| part.weight > 0.0).enumerate().map(decile).collect())
}
