use super::{Metric, Prepare, gains};
use crate::error::Result;
use crate::statistic::defined;

pub(super) const METRIC: Metric = Metric {
    name: "mrr",
    unit: "mean of 1 / rank",
    higher_is_better: true,
    prepare: Prepare::Ranks(|ranks, k| Ok(Box::new(rows(ranks, k)?))),
};

/// Mean reciprocal rank of the right item, 0 beyond k.
pub fn mrr(ranks: &[u32], k: u32) -> Result<f64> {
    defined(&rows(ranks, k)?, METRIC.name, "it needs rows")
}

fn rows(ranks: &[u32], k: u32) -> Result<crate::Mean> {
    gains(METRIC.name, ranks, k, |rank| 1.0 / rank)
}
