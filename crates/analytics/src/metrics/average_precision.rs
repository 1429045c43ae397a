use super::{Metric, Prepare, check_scores, ones};
use crate::error::Result;
use crate::statistic::{Ordered, Statistic, defined, weigh};

pub(super) const METRIC: Metric = Metric {
    name: "average_precision",
    unit: "mean precision over recall",
    higher_is_better: true,
    prepare: Prepare::Labels(|labels, scores| Ok(Box::new(AveragePrecision::new(labels, scores)?))),
};

/// Precision at each threshold weighted by the recall it adds, equal scores crossing the threshold together
/// (scikit-learn's `average_precision_score`). Fails without both classes.
pub fn average_precision(labels: &[bool], scores: &[f64]) -> Result<f64> {
    defined(&AveragePrecision::new(labels, scores)?, METRIC.name, "it needs both classes")
}

struct AveragePrecision {
    positive: Vec<f64>,
    by_score: Ordered,
}

impl AveragePrecision {
    fn new(labels: &[bool], scores: &[f64]) -> Result<Self> {
        check_scores(METRIC.name, labels, scores)?;
        Ok(Self { positive: ones(labels), by_score: Ordered::by(scores) })
    }
}

impl Statistic for AveragePrecision {
    fn rows(&self) -> usize {
        self.positive.len()
    }

    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        let (mut sum, mut taken, mut hits) = (0.0, 0.0, 0.0);
        for rows in self.by_score.groups().rev() {
            let (count, new_hits) = weigh(rows, weights, &self.positive);
            taken += count;
            hits += new_hits;
            if new_hits > 0.0 {
                sum += new_hits * hits / taken;
            }
        }
        (hits > 0.0 && taken > hits).then(|| sum / hits)
    }
}
