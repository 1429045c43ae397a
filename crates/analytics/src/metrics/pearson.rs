use super::{Metric, Prepare, check_values};
use crate::error::Result;
use crate::statistic::{Statistic, defined};

pub(super) const METRIC: Metric = Metric {
    name: "pearson",
    unit: "correlation",
    higher_is_better: true,
    prepare: Prepare::Values(|actual, predicted| Ok(Box::new(Pearson::new(actual, predicted)?))),
};

/// Linear correlation. Undefined where one side is constant.
pub fn pearson(actual: &[f64], predicted: &[f64]) -> Result<f64> {
    defined(&Pearson::new(actual, predicted)?, METRIC.name, "one side is constant")
}

struct Pearson {
    actual: Vec<f64>,
    predicted: Vec<f64>,
}

impl Pearson {
    fn new(actual: &[f64], predicted: &[f64]) -> Result<Self> {
        check_values(METRIC.name, actual, predicted)?;
        Ok(Self { actual: actual.to_vec(), predicted: predicted.to_vec() })
    }
}

impl Statistic for Pearson {
    fn rows(&self) -> usize {
        self.actual.len()
    }

    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        correlation(&self.actual, &self.predicted, weights)
    }
}

/// Two passes: first the means, then the products around them.
pub(super) fn correlation(a: &[f64], b: &[f64], weights: &[u32]) -> Option<f64> {
    let (mut count, mut sum_a, mut sum_b) = (0.0, 0.0, 0.0);
    for ((a, b), &w) in a.iter().zip(b).zip(weights) {
        let w = f64::from(w);
        count += w;
        sum_a += w * a;
        sum_b += w * b;
    }
    let (mean_a, mean_b) = (sum_a / count, sum_b / count);
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for ((a, b), &w) in a.iter().zip(b).zip(weights) {
        let (w, a, b) = (f64::from(w), a - mean_a, b - mean_b);
        aa += w * a * a;
        bb += w * b * b;
        ab += w * a * b;
    }
    // Rounding in the mean leaves a constant side with a variance of about epsilon squared.
    let constant = |squares: f64, mean: f64| squares <= count * (mean * f64::EPSILON * 4.0).powi(2);
    if constant(aa, mean_a) || constant(bb, mean_b) {
        return None;
    }
    Some((ab / (aa.sqrt() * bb.sqrt())).clamp(-1.0, 1.0)).filter(|r| r.is_finite())
}
