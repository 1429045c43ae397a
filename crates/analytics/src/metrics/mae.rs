use super::{Metric, Prepare, check_values};
use crate::error::Result;
use crate::statistic::{Mean, defined};

pub(super) const METRIC: Metric = Metric {
    name: "mae",
    unit: "unit of the value",
    higher_is_better: false,
    prepare: Prepare::Values(|actual, predicted| Ok(Box::new(rows(actual, predicted)?))),
};

/// Mean absolute error.
pub fn mae(actual: &[f64], predicted: &[f64]) -> Result<f64> {
    defined(&rows(actual, predicted)?, METRIC.name, "the errors are too large to add")
}

fn rows(actual: &[f64], predicted: &[f64]) -> Result<Mean> {
    check_values(METRIC.name, actual, predicted)?;
    Mean::new(METRIC.name, actual.iter().zip(predicted).map(|(a, p)| (a - p).abs()).collect())
}
