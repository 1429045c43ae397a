use super::precision::Decisions;
use super::{Metric, Prepare};
use crate::error::Result;
use crate::statistic::defined;

pub(super) const METRIC: Metric = Metric {
    name: "recall",
    unit: "share of those to whom it happened",
    higher_is_better: true,
    prepare: Prepare::Decisions(|labels, scores, threshold| {
        Ok(Box::new(Decisions::new(METRIC.name, labels, scores, threshold, Decisions::recall)?))
    }),
};

/// Share of those to whom it happened who have a score of at least the threshold.
pub fn recall(labels: &[bool], scores: &[f64], threshold: f64) -> Result<f64> {
    let decisions = Decisions::new(METRIC.name, labels, scores, threshold, Decisions::recall)?;
    defined(&decisions, METRIC.name, "it needs somebody to whom it happened")
}
