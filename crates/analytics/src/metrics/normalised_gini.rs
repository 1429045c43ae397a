use super::{Metric, Prepare, check_values};
use crate::error::Result;
use crate::statistic::{Ordered, Statistic, defined, weigh};

pub(super) const METRIC: Metric = Metric {
    name: "normalised_gini",
    unit: "share of a perfect ranking's area",
    higher_is_better: true,
    prepare: Prepare::Values(|actual, predicted| Ok(Box::new(NormalisedGini::new(actual, predicted)?))),
};

/// How much of the actual value the highest predictions hold: area between the cumulative value curve and the diagonal,
/// divided by the same area of the perfect ranking (Wang, Liu, Miao 2019). Equal predictions share their value evenly,
/// so that the order of rows does not matter. Undefined where the actual values are all equal or add up to 0 or less.
pub fn normalised_gini(actual: &[f64], predicted: &[f64]) -> Result<f64> {
    defined(
        &NormalisedGini::new(actual, predicted)?,
        METRIC.name,
        "the actual values are all equal or their sum is not positive",
    )
}

struct NormalisedGini {
    actual: Vec<f64>,
    by_actual: Ordered,
    by_predicted: Ordered,
}

impl NormalisedGini {
    fn new(actual: &[f64], predicted: &[f64]) -> Result<Self> {
        check_values(METRIC.name, actual, predicted)?;
        Ok(Self { actual: actual.to_vec(), by_actual: Ordered::by(actual), by_predicted: Ordered::by(predicted) })
    }

    /// Area above the diagonal when rows are taken from the highest down, by the trapezoid rule.
    fn area(&self, order: &Ordered, weights: &[u32]) -> Option<f64> {
        let (mut area, mut count, mut total) = (0.0, 0.0, 0.0);
        for rows in order.groups().rev() {
            let (tied, value) = weigh(rows, weights, &self.actual);
            area += tied * (total + value / 2.0);
            count += tied;
            total += value;
        }
        (total > 0.0).then(|| area / (count * total) - 0.5)
    }
}

impl Statistic for NormalisedGini {
    fn rows(&self) -> usize {
        self.actual.len()
    }

    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        let perfect = self.area(&self.by_actual, weights)?;
        // A single group of equal values gives an area of rounding errors.
        (perfect > f64::EPSILON * 4.0).then_some(self.area(&self.by_predicted, weights)? / perfect)
    }
}
