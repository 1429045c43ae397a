use super::{Metric, Prepare, check_probabilities};
use crate::error::Result;
use crate::statistic::{Mean, defined};

pub(super) const METRIC: Metric = Metric {
    name: "brier",
    unit: "squared probability",
    higher_is_better: false,
    prepare: Prepare::Labels(|labels, probabilities| Ok(Box::new(rows(labels, probabilities)?))),
};

/// Mean squared distance of a probability from what happened. Fails for a probability outside 0 to 1.
pub fn brier(labels: &[bool], probabilities: &[f64]) -> Result<f64> {
    defined(&rows(labels, probabilities)?, METRIC.name, "it needs rows")
}

fn rows(labels: &[bool], probabilities: &[f64]) -> Result<Mean> {
    check_probabilities(METRIC.name, labels, probabilities)?;
    let error = |(&y, &p): (&bool, &f64)| (f64::from(u8::from(y)) - p).powi(2);
    Mean::new(METRIC.name, labels.iter().zip(probabilities).map(error).collect())
}
