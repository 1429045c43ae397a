use super::pearson::correlation;
use super::{Metric, Prepare, check_values};
use crate::error::Result;
use crate::statistic::{Ordered, Statistic, defined};

pub(super) const METRIC: Metric = Metric {
    name: "spearman",
    unit: "correlation of ranks",
    higher_is_better: true,
    prepare: Prepare::Values(|actual, predicted| Ok(Box::new(Spearman::new(actual, predicted)?))),
};

/// Correlation of ranks, equal values sharing their mean rank. Undefined where one side is constant.
pub fn spearman(actual: &[f64], predicted: &[f64]) -> Result<f64> {
    defined(&Spearman::new(actual, predicted)?, METRIC.name, "one side is constant")
}

struct Spearman {
    rows: usize,
    by_actual: Ordered,
    by_predicted: Ordered,
}

impl Spearman {
    fn new(actual: &[f64], predicted: &[f64]) -> Result<Self> {
        check_values(METRIC.name, actual, predicted)?;
        Ok(Self { rows: actual.len(), by_actual: Ordered::by(actual), by_predicted: Ordered::by(predicted) })
    }
}

impl Statistic for Spearman {
    fn rows(&self) -> usize {
        self.rows
    }

    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        correlation(&ranks(&self.by_actual, weights), &ranks(&self.by_predicted, weights), weights)
    }
}

/// Mean rank of each row, a row of weight w standing for w equal rows.
fn ranks(order: &Ordered, weights: &[u32]) -> Vec<f64> {
    let mut ranks = vec![0.0; weights.len()];
    let mut below = 0.0;
    for rows in order.groups() {
        let tied: f64 = rows.iter().map(|&row| f64::from(weights[row])).sum();
        let rank = below + (tied + 1.0) / 2.0;
        rows.iter().for_each(|&row| ranks[row] = rank);
        below += tied;
    }
    ranks
}
