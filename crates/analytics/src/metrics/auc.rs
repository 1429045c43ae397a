use super::{Metric, Prepare, check_scores};
use crate::error::Result;
use crate::statistic::{Ordered, Statistic, defined};

pub(super) const METRIC: Metric = Metric {
    name: "auc",
    unit: "share of pairs in the right order",
    higher_is_better: true,
    prepare: Prepare::Labels(|labels, scores| Ok(Box::new(Auc::new(labels, scores)?))),
};

/// Area under the ROC curve: the chance that a positive scores above a negative, a tie counting half (Mann-Whitney).
/// Fails without both classes.
pub fn auc(labels: &[bool], scores: &[f64]) -> Result<f64> {
    defined(&Auc::new(labels, scores)?, METRIC.name, "it needs both classes")
}

struct Auc {
    labels: Vec<bool>,
    by_score: Ordered,
}

impl Auc {
    fn new(labels: &[bool], scores: &[f64]) -> Result<Self> {
        check_scores(METRIC.name, labels, scores)?;
        Ok(Self { labels: labels.to_vec(), by_score: Ordered::by(scores) })
    }
}

impl Statistic for Auc {
    fn rows(&self) -> usize {
        self.labels.len()
    }

    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        // Half pairs, so that the count stays an exact integer.
        let (mut half_pairs, mut positives, mut negatives) = (0u128, 0u64, 0u64);
        for rows in self.by_score.groups() {
            let (mut tied_positives, mut tied_negatives) = (0, 0);
            for &row in rows {
                let weight = u64::from(weights[row]);
                if self.labels[row] { tied_positives += weight } else { tied_negatives += weight }
            }
            half_pairs += u128::from(tied_positives) * u128::from(2 * negatives + tied_negatives);
            positives += tied_positives;
            negatives += tied_negatives;
        }
        let pairs = positives as f64 * negatives as f64;
        (pairs > 0.0).then(|| half_pairs as f64 / 2.0 / pairs)
    }
}
