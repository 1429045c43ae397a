//! Metrics of predictions. One file each: its `METRIC` (name, unit, direction, how to prepare it from inputs) and a
//! function of the same name that gives the plain number. What a metric needs is in its type: labels with scores,
//! actual with predicted values, or the rank of the right item. Ties never depend on the order of rows.

mod auc;
mod average_precision;
mod brier;
mod calibration_error;
mod f1;
mod hit_rate;
mod log_loss;
mod mae;
mod mrr;
mod ndcg;
mod normalised_gini;
mod pearson;
mod poisson_deviance;
mod precision;
mod recall;
mod rmse;
mod spearman;
mod top_decile_lift;
mod top_decile_precision;
mod total_error;

use crate::error::{Error, Result, all_finite, all_within, both_classes, not_empty, same_length};
use crate::statistic::Statistic;

pub use auc::auc;
pub use average_precision::average_precision;
pub use brier::brier;
pub use calibration_error::calibration_error;
pub use f1::f1;
pub use hit_rate::hit_rate;
pub use log_loss::log_loss;
pub use mae::mae;
pub use mrr::mrr;
pub use ndcg::ndcg;
pub use normalised_gini::normalised_gini;
pub use pearson::pearson;
pub use poisson_deviance::poisson_deviance;
pub use precision::precision;
pub use recall::recall;
pub use rmse::rmse;
pub use spearman::spearman;
pub use top_decile_lift::top_decile_lift;
pub use top_decile_precision::top_decile_precision;
pub use total_error::total_error;

/// Every metric, in alphabetical order.
pub const METRICS: [Metric; 20] = [
    auc::METRIC,
    average_precision::METRIC,
    brier::METRIC,
    calibration_error::METRIC,
    f1::METRIC,
    hit_rate::METRIC,
    log_loss::METRIC,
    mae::METRIC,
    mrr::METRIC,
    ndcg::METRIC,
    normalised_gini::METRIC,
    pearson::METRIC,
    poisson_deviance::METRIC,
    precision::METRIC,
    recall::METRIC,
    rmse::METRIC,
    spearman::METRIC,
    top_decile_lift::METRIC,
    top_decile_precision::METRIC,
    total_error::METRIC,
];

/// The rank of a right item that was not ranked at all: beyond every k.
pub const NOT_RANKED: u32 = u32::MAX;

/// A metric's name, what its number means, and how to prepare it.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub unit: &'static str,
    pub higher_is_better: bool,
    pub prepare: Prepare,
}

/// A metric made ready for reading, once or under many weights.
pub type Prepared = Box<dyn Statistic + Send>;

/// What a metric is computed from.
#[derive(Debug, Clone, Copy)]
pub enum Prepare {
    /// Labels and scores; a higher score means a more probable `true`.
    Labels(fn(&[bool], &[f64]) -> Result<Prepared>),
    /// Labels, scores, and the least score of those who are called.
    Decisions(fn(&[bool], &[f64], f64) -> Result<Prepared>),
    /// Actual and predicted values.
    Values(fn(&[f64], &[f64]) -> Result<Prepared>),
    /// Rank of the right item, 1 the best or `NOT_RANKED`, and the length k of the list shown.
    Ranks(fn(&[u32], u32) -> Result<Prepared>),
}

/// The metric of that name.
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|m| m.name == name)
}

fn check_scores(metric: &'static str, labels: &[bool], scores: &[f64]) -> Result<()> {
    same_length("scores", labels.len(), scores.len())?;
    both_classes(metric, labels)?;
    all_finite("score", scores)
}

fn check_probabilities(metric: &'static str, labels: &[bool], probabilities: &[f64]) -> Result<()> {
    same_length("probabilities", labels.len(), probabilities.len())?;
    not_empty(metric, labels.len())?;
    all_within("probability", probabilities, 0.0..=1.0, "between 0 and 1")
}

fn check_values(metric: &'static str, actual: &[f64], predicted: &[f64]) -> Result<()> {
    same_length("predicted values", actual.len(), predicted.len())?;
    not_empty(metric, actual.len())?;
    all_finite("actual value", actual)?;
    all_finite("predicted value", predicted)
}

/// 1 for true, 0 for false.
fn ones(labels: &[bool]) -> Vec<f64> {
    labels.iter().map(|&label| f64::from(u8::from(label))).collect()
}

/// What each rank within the first k earns; a rank beyond k earns nothing.
fn gains(metric: &'static str, ranks: &[u32], k: u32, gain: impl Fn(f64) -> f64) -> Result<crate::Mean> {
    if k == 0 {
        return Err(Error::Setting { name: "k", value: 0.0, valid: "1 or more" });
    }
    if let Some(row) = ranks.iter().position(|&rank| rank == 0) {
        return Err(Error::Value { what: "rank", row, value: 0.0, valid: "1 (the best) or more" });
    }
    let of = |rank: u32| if rank <= k && rank != NOT_RANKED { gain(f64::from(rank)) } else { 0.0 };
    crate::Mean::new(metric, ranks.iter().map(|&rank| of(rank)).collect())
}
