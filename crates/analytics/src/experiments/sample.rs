//! A group of an experiment in the few numbers that its tests need.

use crate::error::{Error, Result, all_finite};

/// A metric of one group: how many customers, their mean, and their unbiased variance (divided by rows − 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub rows: u64,
    pub mean: f64,
    pub variance: f64,
}

/// A yes-or-no metric of one group: how many of its customers did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub successes: u64,
    pub trials: u64,
}

impl Sample {
    /// Of numbers that were computed elsewhere. Fails for fewer than two rows, a mean that is not finite, and a variance
    /// that is negative or not finite.
    pub fn new(rows: u64, mean: f64, variance: f64) -> Result<Self> {
        let sample = Self { rows, mean, variance };
        sample.check()?;
        Ok(sample)
    }

    /// Of one value a customer, finite.
    pub fn of(values: &[f64]) -> Result<Self> {
        crate::error::not_empty("the group", values.len())?;
        all_finite("the metric", values)?;
        let rows = values.len() as f64;
        let mean = values.iter().sum::<f64>() / rows;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        Self::new(values.len() as u64, mean, squares / (rows - 1.0).max(1.0))
    }

    /// Of Σ x and Σ x². They lose the digits that mean² / variance has: prefer `new` where the mean is far from 0.
    pub fn of_sums(rows: u64, sum: f64, sum_of_squares: f64) -> Result<Self> {
        let mean = sum / rows.max(1) as f64;
        let squares = sum_of_squares - sum * mean;
        let lost = f64::EPSILON * rows as f64 * sum_of_squares;
        let squares = if squares >= -lost { rounded(squares) } else { squares };
        Self::new(rows, mean, squares / (rows.max(2) - 1) as f64)
    }

    /// Of the zeros and ones that a rate counts.
    pub fn of_rate(rate: Rate) -> Result<Self> {
        rate.check()?;
        let (trials, p) = (rate.trials as f64, rate.value());
        Self::new(rate.trials, p, p * (1.0 - p) * trials / (trials - 1.0).max(1.0))
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.rows < 2 {
            let valid = "2 or more";
            return Err(Error::Setting { name: "the number of customers of a group", value: self.rows as f64, valid });
        }
        if !self.mean.is_finite() {
            return Err(Error::Setting { name: "the mean of a group", value: self.mean, valid: "a finite number" });
        }
        if !(self.variance >= 0.0 && self.variance.is_finite()) {
            let valid = "0 or more and finite";
            return Err(Error::Setting { name: "the variance of a group", value: self.variance, valid });
        }
        Ok(())
    }

    /// Variance of the mean.
    pub(super) fn variance_of_mean(&self) -> f64 {
        self.variance / self.rows as f64
    }
}

/// A variance that rounding has brought below 0 is 0; one that is not a number stays so.
pub(super) fn rounded(variance: f64) -> f64 {
    if variance < 0.0 { 0.0 } else { variance }
}

impl Rate {
    /// Fails for no trials and for more successes than trials.
    pub fn new(successes: u64, trials: u64) -> Result<Self> {
        let rate = Self { successes, trials };
        rate.check()?;
        Ok(rate)
    }

    pub(super) fn check(&self) -> Result<()> {
        crate::error::not_empty("trials", usize::from(self.trials > 0))?;
        if self.successes > self.trials {
            let valid = "at most the number of trials";
            return Err(Error::Setting { name: "successes", value: self.successes as f64, valid });
        }
        Ok(())
    }

    pub(super) fn value(&self) -> f64 {
        self.successes as f64 / self.trials as f64
    }
}
