use super::{Metric, Prepare, check_values};
use crate::error::Result;
use crate::statistic::{Mean, Statistic, defined};

pub(super) const METRIC: Metric = Metric {
    name: "rmse",
    unit: "unit of the value",
    higher_is_better: false,
    prepare: Prepare::Values(|actual, predicted| Ok(Box::new(Rmse::new(actual, predicted)?))),
};

/// Root of the mean squared error.
pub fn rmse(actual: &[f64], predicted: &[f64]) -> Result<f64> {
    defined(&Rmse::new(actual, predicted)?, METRIC.name, "the errors are too large to square and add")
}

struct Rmse(Mean);

impl Rmse {
    fn new(actual: &[f64], predicted: &[f64]) -> Result<Self> {
        check_values(METRIC.name, actual, predicted)?;
        let squares = actual.iter().zip(predicted).map(|(a, p)| (a - p).powi(2)).collect();
        Ok(Self(Mean::new(METRIC.name, squares)?))
    }
}

impl Statistic for Rmse {
    fn rows(&self) -> usize {
        self.0.rows()
    }

    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        self.0.weighted(weights).map(f64::sqrt)
    }
}
