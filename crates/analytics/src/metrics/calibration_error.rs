use super::{Metric, Prepare, check_probabilities, ones};
use crate::error::Result;
use crate::statistic::{Ordered, Statistic, defined, parts};

pub(super) const METRIC: Metric = Metric {
    name: "calibration_error",
    unit: "probability",
    higher_is_better: false,
    prepare: Prepare::Labels(|labels, probabilities| Ok(Box::new(CalibrationError::new(labels, probabilities)?))),
};

const BINS: u64 = 10;

/// Expected calibration error (Naeini, Cooper, Hauskrecht 2015) over ten bins of equally many rows: how far the mean
/// probability of a bin lies from the share to which it happened, averaged over rows. Chance within bins adds to it, and
/// a resample adds its own once more, so a bootstrap interval of it lies high; a paired difference suffers far less.
/// Fails for a probability outside 0 to 1.
pub fn calibration_error(labels: &[bool], probabilities: &[f64]) -> Result<f64> {
    defined(&CalibrationError::new(labels, probabilities)?, METRIC.name, "it needs rows")
}

struct CalibrationError {
    happened: Vec<f64>,
    probabilities: Vec<f64>,
    by_probability: Ordered,
}

impl CalibrationError {
    fn new(labels: &[bool], probabilities: &[f64]) -> Result<Self> {
        check_probabilities(METRIC.name, labels, probabilities)?;
        let by_probability = Ordered::by(probabilities);
        Ok(Self { happened: ones(labels), probabilities: probabilities.to_vec(), by_probability })
    }
}

impl Statistic for CalibrationError {
    fn rows(&self) -> usize {
        self.happened.len()
    }

    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        let bins = parts(&self.by_probability, weights, [&self.happened, &self.probabilities], BINS);
        let weight: f64 = bins.iter().map(|bin| bin.weight).sum();
        let off: f64 = bins.iter().map(|bin| (bin.sums[0] - bin.sums[1]).abs()).sum();
        (weight > 0.0).then(|| off / weight)
    }
}
