use super::{Metric, Prepare, gains};
use crate::error::Result;
use crate::statistic::defined;

pub(super) const METRIC: Metric = Metric {
    name: "ndcg",
    unit: "share of the best discounted gain",
    higher_is_better: true,
    prepare: Prepare::Ranks(|ranks, k| Ok(Box::new(rows(ranks, k)?))),
};

/// Normalised discounted cumulative gain with one right item per row: the mean of 1 / log2(rank + 1), 0 beyond k
/// (Järvelin & Kekäläinen 2002).
pub fn ndcg(ranks: &[u32], k: u32) -> Result<f64> {
    defined(&rows(ranks, k)?, METRIC.name, "it needs rows")
}

fn rows(ranks: &[u32], k: u32) -> Result<crate::Mean> {
    gains(METRIC.name, ranks, k, |rank| 1.0 / (rank + 1.0).log2())
}
