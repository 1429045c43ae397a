use super::{Metric, Prepare, check_probabilities};
use crate::error::Result;
use crate::statistic::{Mean, defined};

pub(super) const METRIC: Metric = Metric {
    name: "log_loss",
    unit: "nats per row",
    higher_is_better: false,
    prepare: Prepare::Labels(|labels, probabilities| Ok(Box::new(rows(labels, probabilities)?))),
};

/// Mean of −ln(probability of what happened), probabilities kept one machine epsilon away from 0 and 1 as in
/// scikit-learn, so that one sure mistake costs 36 nats and not infinity. Fails for a probability outside 0 to 1.
pub fn log_loss(labels: &[bool], probabilities: &[f64]) -> Result<f64> {
    defined(&rows(labels, probabilities)?, METRIC.name, "it needs rows")
}

fn rows(labels: &[bool], probabilities: &[f64]) -> Result<Mean> {
    check_probabilities(METRIC.name, labels, probabilities)?;
    let loss = |(&y, &p): (&bool, &f64)| {
        let p = p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        if y { -p.ln() } else { -(-p).ln_1p() }
    };
    Mean::new(METRIC.name, labels.iter().zip(probabilities).map(loss).collect())
}
