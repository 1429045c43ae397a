use super::top_decile_precision::TopDecile;
use super::{Metric, Prepare};
use crate::error::Result;
use crate::statistic::{Statistic, defined};

pub(super) const METRIC: Metric = Metric {
    name: "top_decile_lift",
    unit: "times the base rate",
    higher_is_better: true,
    prepare: Prepare::Labels(|labels, scores| Ok(Box::new(Lift(TopDecile::new(METRIC.name, labels, scores)?)))),
};

/// How many times as often it happened to the tenth with the highest scores as to all: the precision of the top decile
/// over the base rate, and ten times its recall. Undefined where it happened to nobody.
pub fn top_decile_lift(labels: &[bool], scores: &[f64]) -> Result<f64> {
    defined(&Lift(TopDecile::new(METRIC.name, labels, scores)?), METRIC.name, "all labels are false")
}

struct Lift(TopDecile);

impl Statistic for Lift {
    fn rows(&self) -> usize {
        self.0.rows()
    }

    fn weighted(&self, weights: &[u32]) -> Option<f64> {
        let base_rate = self.0.base_rate(weights)?;
        (base_rate > 0.0).then_some(self.0.weighted(weights)? / base_rate)
    }
}
