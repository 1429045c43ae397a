use super::{Metric, Prepare, ones};
use crate::error::{Result, all_finite, not_empty, same_length};
use crate::statistic::{Ordered, Statistic, defined, parts};

pub(super) const METRIC: Metric = Metric {
    name: "top_decile_precision",
    unit: "share of rows",
    higher_is_better: true,
    prepare: Prepare::Labels(|labels, scores| Ok(Box::new(TopDecile::new(METRIC.name, labels, scores)?))),
};

/// Share of the tenth with the highest scores (rounded up) to whom it happened. A share and no threshold, because what
/// is fixed is how many can be called, and a threshold would say of a shifted model that it calls everybody.
pub fn top_decile_precision(labels: &[bool], scores: &[f64]) -> Result<f64> {
    defined(&TopDecile::new(METRIC.name, labels, scores)?, METRIC.name, "it needs rows")
}

pub(super) struct TopDecile {
    happened: Vec<f64>,
    by_score: Ordered,
}

impl TopDecile {
    pub(super) fn new(metric: &'static str, labels: &[bool], scores: &[f64]) -> Result<Self> {
        same_length("scores", labels.len(), scores.len())?;
        not_empty(metric, labels.len())?;
        all_finite("score", scores)?;
        Ok(Self { happened: ones(labels), by_score: Ordered::by(scores) })
    }

    pub(super) fn base_rate(&self, weights: &[u32]) -> Option<f64> {
        let all = parts(&self.by_score, weights, [&self.happened], 1)[0];
        (all.weight > 0.0).then(|| all.sums[0] / all.weight)
    }
}

impl Statistic for TopDecile {
    fn rows(&self) -> usize {
        self.happened.len()
    }

    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        let top = *parts(&self.by_score, weights, [&self.happened], 10).last()?;
        (top.weight > 0.0).then(|| top.sums[0] / top.weight)
    }
}
