use super::precision::Decisions;
use super::{Metric, Prepare};
use crate::error::Result;
use crate::statistic::defined;

pub(super) const METRIC: Metric = Metric {
    name: "f1",
    unit: "harmonic mean of precision and recall",
    higher_is_better: true,
    prepare: Prepare::Decisions(|labels, scores, threshold| {
        Ok(Box::new(Decisions::new(METRIC.name, labels, scores, threshold, Decisions::f1)?))
    }),
};

/// The harmonic mean of precision and recall at the threshold: 2 TP / (2 TP + FP + FN).
pub fn f1(labels: &[bool], scores: &[f64], threshold: f64) -> Result<f64> {
    let decisions = Decisions::new(METRIC.name, labels, scores, threshold, Decisions::f1)?;
    defined(&decisions, METRIC.name, "nobody is called and it happened to nobody")
}
