//! Two numbers a customer, in the moments that ratios and CUPED need. A ratio of sums (revenue per order, clicks per
//! view) has customers as its units and not orders: orders of one customer are alike, and counting them as independent
//! makes intervals too narrow. Deng, Knoblich & Lu, Applying the Delta Method in Metric Analytics (KDD 2018).

use super::sample::{Sample, rounded};
use crate::error::{Error, Result, all_finite, same_length};

/// Unbiased moments of two numbers a customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    pub first: Sample,
    pub second: Sample,
    /// Divided by rows − 1.
    pub covariance: f64,
}

impl Pair {
    /// Of moments that were computed elsewhere. Fails where no data have them: different numbers of rows, or a covariance
    /// beyond the product of the deviations.
    pub fn new(first: Sample, second: Sample, covariance: f64) -> Result<Self> {
        let pair = Self { first, second, covariance };
        pair.check()?;
        Ok(pair)
    }

    /// Of two finite values a customer.
    pub fn of(first: &[f64], second: &[f64]) -> Result<Self> {
        same_length("the second number", first.len(), second.len())?;
        all_finite("the first number", first)?;
        all_finite("the second number", second)?;
        let (a, b) = (Sample::of(first)?, Sample::of(second)?);
        let products: f64 = first.iter().zip(second).map(|(x, y)| (x - a.mean) * (y - b.mean)).sum();
        Self::new(a, b, products / (a.rows - 1) as f64)
    }

    /// Σ first / Σ second as the metric of one group: its mean is the ratio, and its variance over the number of customers
    /// the ratio's, by the delta method. Fails where the second number is 0 on average.
    pub fn ratio(&self) -> Result<Sample> {
        self.check()?;
        let (a, b) = (self.first, self.second);
        if b.mean == 0.0 {
            return Err(Error::Undefined { metric: "the ratio", why: "its denominators add up to 0" });
        }
        let ratio = a.mean / b.mean;
        let variance = a.variance - 2.0 * ratio * self.covariance + ratio * ratio * b.variance;
        Sample::new(a.rows, ratio, rounded(variance) / (b.mean * b.mean))
    }

    pub(super) fn check(&self) -> Result<()> {
        self.first.check()?;
        self.second.check()?;
        same_length("the second number", self.first.rows as usize, self.second.rows as usize)?;
        let most = (self.first.variance.sqrt() * self.second.variance.sqrt()) * (1.0 + 1e-9);
        if self.covariance.abs() <= most {
            return Ok(());
        }
        let valid = "at most the product of the two deviations";
        Err(Error::Setting { name: "the covariance", value: self.covariance, valid })
    }
}
