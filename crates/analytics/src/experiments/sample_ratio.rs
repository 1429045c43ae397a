//! Sample ratio mismatch: groups that are not as large as they were meant to be were not split at random, and no effect
//! measured on them can be trusted. Pearson's chi-square test.

use crate::distributions::chi_square_tail;
use crate::error::{Error, Result, same_length};

/// How far the groups are from their shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleRatio {
    /// Σ (found − expected)² / expected.
    pub chi_square: f64,
    /// Groups − 1.
    pub degrees: usize,
    /// Below 0.001 something is wrong with the split or with what was logged.
    pub p_value: f64,
}

/// Tests the customers found in each group against the weights they were dealt by, in any unit and all above 0. Fails
/// for fewer than two groups and for no customers at all.
pub fn sample_ratio(found: &[u64], weights: &[f64]) -> Result<SampleRatio> {
    same_length("weights", found.len(), weights.len())?;
    if found.len() < 2 {
        return Err(Error::Length { what: "groups", expected: 2, found: found.len() });
    }
    if let Some(row) = weights.iter().position(|w| !(*w > 0.0 && w.is_finite())) {
        return Err(Error::Value { what: "weight", row, value: weights[row], valid: "above 0 and finite" });
    }
    let rows: f64 = found.iter().map(|&count| count as f64).sum();
    if rows == 0.0 {
        return Err(Error::Setting { name: "the number of customers of all groups", value: rows, valid: "1 or more" });
    }
    let total: f64 = weights.iter().sum();
    crate::error::positive("the sum of the weights", total)?;
    let term = |(&count, weight): (&u64, &f64)| {
        let expected = weight / total * rows;
        (count as f64 - expected).powi(2) / expected
    };
    let chi_square: f64 = found.iter().zip(weights).map(term).sum();
    if !chi_square.is_finite() {
        return Err(Error::Undefined {
            metric: "the chi-square",
            why: "a weight is next to nothing beside the others",
        });
    }
    let degrees = found.len() - 1;
    Ok(SampleRatio { chi_square, degrees, p_value: chi_square_tail(chi_square, degrees as f64) })
}
