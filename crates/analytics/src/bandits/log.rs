//! What a bandit showed and what came of it.

use crate::error::{Error, Result, all_finite, not_empty, same_length};

/// One row per decision, in the order of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Log<'a> {
    pub arms: usize,
    /// The arm that was shown.
    pub shown: &'a [usize],
    /// Finite.
    pub rewards: &'a [f64],
    /// Row-major with `columns` finite numbers a row; empty with 0 columns.
    pub contexts: &'a [f64],
    pub columns: usize,
    /// Probability with which the arm that was shown was chosen, above 0 and at most 1; empty where all arms were equally
    /// probable.
    pub propensities: &'a [f64],
}

impl Log<'_> {
    pub(super) fn rows(&self) -> usize {
        self.shown.len()
    }

    pub(super) fn context(&self, row: usize) -> &[f64] {
        &self.contexts[row * self.columns..(row + 1) * self.columns]
    }

    pub(super) fn propensity(&self, row: usize) -> f64 {
        self.propensities.get(row).copied().unwrap_or(1.0 / self.arms as f64)
    }

    pub(super) fn check(&self) -> Result<()> {
        let rows = self.rows();
        not_empty("the log", rows)?;
        not_empty("arms", self.arms)?;
        same_length("rewards", rows, self.rewards.len())?;
        same_length("contexts", rows.saturating_mul(self.columns), self.contexts.len())?;
        all_finite("reward", self.rewards)?;
        if let Some(row) = self.shown.iter().position(|arm| *arm >= self.arms) {
            let value = self.shown[row] as f64;
            return Err(Error::Value { what: "arm", row, value, valid: "below the number of arms" });
        }
        if let Some(i) = self.contexts.iter().position(|x| !x.is_finite()) {
            let (row, value) = (i / self.columns, self.contexts[i]);
            return Err(Error::Value { what: "context", row, value, valid: "a finite number" });
        }
        if self.propensities.is_empty() {
            return Ok(());
        }
        same_length("propensities", rows, self.propensities.len())?;
        match self.propensities.iter().position(|p| !(*p > 0.0 && *p <= 1.0)) {
            Some(row) => {
                let value = self.propensities[row];
                Err(Error::Value { what: "propensity", row, value, valid: "above 0 and at most 1" })
            }
            None => Ok(()),
        }
    }
}
