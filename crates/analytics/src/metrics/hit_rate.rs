use super::{Metric, Prepare, gains};
use crate::error::Result;
use crate::statistic::defined;

pub(super) const METRIC: Metric = Metric {
    name: "hit_rate",
    unit: "share of rows",
    higher_is_better: true,
    prepare: Prepare::Ranks(|ranks, k| Ok(Box::new(rows(ranks, k)?))),
};

/// Share of rows whose right item is among the first k.
pub fn hit_rate(ranks: &[u32], k: u32) -> Result<f64> {
    defined(&rows(ranks, k)?, METRIC.name, "it needs rows")
}

fn rows(ranks: &[u32], k: u32) -> Result<crate::Mean> {
    gains(METRIC.name, ranks, k, |_| 1.0)
}
