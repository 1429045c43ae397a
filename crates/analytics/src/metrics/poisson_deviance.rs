use super::{Metric, Prepare, check_values};
use crate::error::{Error, Result};
use crate::statistic::{Mean, defined};

pub(super) const METRIC: Metric = Metric {
    name: "poisson_deviance",
    unit: "twice nats per row",
    higher_is_better: false,
    prepare: Prepare::Values(|actual, predicted| Ok(Box::new(rows(actual, predicted)?))),
};

/// Mean of 2 (y ln(y / μ) − y + μ) over actual y and predicted μ, the error of a count in its own measure: one too many is
/// much of 1 and little of 100 (scikit-learn's `mean_poisson_deviance`). Fails for a y below 0 and a μ not above it.
pub fn poisson_deviance(actual: &[f64], predicted: &[f64]) -> Result<f64> {
    defined(&rows(actual, predicted)?, METRIC.name, "the deviances are too large to add")
}

fn rows(actual: &[f64], predicted: &[f64]) -> Result<Mean> {
    check_values(METRIC.name, actual, predicted)?;
    let wrong = |what, values: &[f64], is_valid: fn(&f64) -> bool, valid| {
        let row = values.iter().position(|value| !is_valid(value));
        row.map_or(Ok(()), |row| Err(Error::Value { what, row, value: values[row], valid }))
    };
    wrong("actual value", actual, |y| *y >= 0.0, "0 or more")?;
    wrong("predicted value", predicted, |mu| *mu > 0.0, "above 0")?;
    let deviance = |(&y, &mu): (&f64, &f64)| {
        let ratio = if y > 0.0 { y * (y / mu).ln() } else { 0.0 };
        2.0 * (ratio - y + mu)
    };
    Mean::new(METRIC.name, actual.iter().zip(predicted).map(deviance).collect())
}
