use super::{Metric, Prepare, check_values};
use crate::error::Result;
use crate::statistic::{Statistic, defined, weigh};

pub(super) const METRIC: Metric = Metric {
    name: "total_error",
    unit: "share of the actual total",
    higher_is_better: false,
    prepare: Prepare::Values(|actual, predicted| Ok(Box::new(TotalError::new(actual, predicted)?))),
};

/// How far the predicted total is from the actual one, as a share of it. Undefined for an actual total of 0.
pub fn total_error(actual: &[f64], predicted: &[f64]) -> Result<f64> {
    defined(&TotalError::new(actual, predicted)?, METRIC.name, "the actual total is 0")
}

struct TotalError {
    rows: Vec<usize>,
    actual: Vec<f64>,
    predicted: Vec<f64>,
}

impl TotalError {
    fn new(actual: &[f64], predicted: &[f64]) -> Result<Self> {
        check_values(METRIC.name, actual, predicted)?;
        Ok(Self { rows: (0..actual.len()).collect(), actual: actual.to_vec(), predicted: predicted.to_vec() })
    }
}

impl Statistic for TotalError {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        let total = |values| weigh(&self.rows, weights, values).1;
        let (actual, predicted) = (total(&self.actual), total(&self.predicted));
        (actual != 0.0).then(|| (predicted / actual - 1.0).abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_missing_share() {
        assert_eq!(total_error(&[1.0, 3.0], &[3.0, 0.0]).unwrap(), 0.25);
        assert!(total_error(&[0.0], &[1.0]).is_err());
    }
}
