//! Off-policy evaluation: what a policy would earn, from a log of another one. Weighting by how much more often it would
//! have shown what was shown is unbiased but noisy; self-normalised weights cannot leave the range of the rewards; the
//! doubly robust estimate starts from a model of the rewards and weights only its errors. Dudík, Langford & Li (ICML
//! 2011), Swaminathan & Joachims (NIPS 2015).

use super::lin_ucb::Ridge;
use super::log::Log;
use crate::distributions::normal_quantile;
use crate::error::{Error, Result, all_finite, positive, same_length, valid_level};

/// How to estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OffPolicy {
    pub estimator: Estimator,
    /// Coverage of the normal interval, between 0 and 1.
    pub level: f64,
    /// Folds and ridge of the reward model of the doubly robust estimate.
    pub folds: usize,
    pub l2: f64,
}

/// What each row contributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Estimator {
    /// Inverse propensity scores.
    Ips,
    SelfNormalised,
    #[default]
    DoublyRobust,
}

impl Default for OffPolicy {
    fn default() -> Self {
        Self { estimator: Estimator::default(), level: 0.95, folds: 5, l2: 1.0 }
    }
}

/// Mean reward per row of the policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    pub estimate: f64,
    pub standard_error: f64,
    pub low: f64,
    pub high: f64,
    /// (Σ w)² / Σ w²: how many rows of its own the log is worth to this policy.
    pub effective_rows: f64,
}

/// How far probabilities may be from adding up to 1.
const SMALL_REST: f64 = 1e-6;

/// The value of the policy that shows each arm with the probabilities of `target`, row-major with one per arm, which add
/// up to 1 in each row. Fails for fewer than two rows and where the policy never shows what was shown.
pub fn off_policy(log: &Log, target: &[f64], settings: &OffPolicy) -> Result<Value> {
    log.check()?;
    valid_level(settings.level)?;
    check_target(log, target)?;
    let rows = log.rows();
    if rows < 2 {
        return Err(Error::Length { what: "the log", expected: 2, found: rows });
    }
    let weight = |row: usize| target[row * log.arms + log.shown[row]] / log.propensity(row);
    let weights: Vec<f64> = (0..rows).map(weight).collect();
    let total: f64 = weights.iter().sum();
    if total == 0.0 {
        let why = "the policy never shows what was shown";
        return Err(Error::Undefined { metric: "the value of the policy", why });
    }
    let weighted = || weights.iter().zip(log.rewards).map(|(w, r)| w * r);
    let (estimate, variance) = match settings.estimator {
        Estimator::Ips => mean_and_variance(&weighted().collect::<Vec<f64>>()),
        Estimator::SelfNormalised => {
            let mean = weighted().sum::<f64>() / total;
            let errors = weights.iter().zip(log.rewards).map(|(w, r)| (w / total * (r - mean)).powi(2));
            (mean, errors.sum())
        }
        Estimator::DoublyRobust => {
            let model = reward_model(log, settings.folds, settings.l2)?;
            let term = |row: usize| {
                let arms = row * log.arms..(row + 1) * log.arms;
                let expected: f64 = target[arms.clone()].iter().zip(&model[arms]).map(|(p, q)| p * q).sum();
                expected + weights[row] * (log.rewards[row] - model[row * log.arms + log.shown[row]])
            };
            mean_and_variance(&(0..rows).map(term).collect::<Vec<f64>>())
        }
    };
    let standard_error = variance.sqrt();
    let width = -normal_quantile((1.0 - settings.level) / 2.0) * standard_error;
    // In shares of the whole, so that squares of large weights cannot overflow.
    let effective_rows = 1.0 / weights.iter().map(|w| (w / total).powi(2)).sum::<f64>();
    if !(estimate.is_finite() && width.is_finite() && effective_rows.is_finite()) {
        let why = "weights or rewards are beyond the largest number";
        return Err(Error::Undefined { metric: "the value of the policy", why });
    }
    Ok(Value { estimate, standard_error, low: estimate - width, high: estimate + width, effective_rows })
}

/// The reward expected of each arm in each row, row-major: a ridge regression of the context for each arm, around the
/// arm's mean, learned from the rows of other folds (row `i` is of fold i mod `folds`), so that no row is predicted from
/// its own reward. An arm without rows is worth the mean of all.
pub fn reward_model(log: &Log, folds: usize, l2: f64) -> Result<Vec<f64>> {
    log.check()?;
    positive("l2", l2)?;
    if folds < 2 {
        return Err(Error::Setting { name: "folds", value: folds as f64, valid: "2 or more" });
    }
    let mut model = vec![0.0; log.rows() * log.arms];
    for fold in 0..folds.min(log.rows()) {
        for arm in 0..log.arms {
            let others = (0..log.rows()).filter(|row| row % folds != fold);
            let expected = arm_model(log, arm, others, l2);
            for row in (fold..log.rows()).step_by(folds) {
                model[row * log.arms + arm] = expected(log.context(row));
            }
        }
    }
    all_finite("the expected reward", &model)?;
    Ok(model)
}

fn arm_model(log: &Log, arm: usize, rows: impl Iterator<Item = usize>, l2: f64) -> impl Fn(&[f64]) -> f64 {
    let rows: Vec<usize> = rows.collect();
    let of_arm: Vec<usize> = rows.iter().copied().filter(|&row| log.shown[row] == arm).collect();
    let from = if of_arm.is_empty() { &rows } else { &of_arm };
    let share = 1.0 / from.len().max(1) as f64;
    let mean: f64 = from.iter().map(|&row| share * log.rewards[row]).sum();
    let centre: Vec<f64> =
        (0..log.columns).map(|j| from.iter().map(|&row| share * log.context(row)[j]).sum()).collect();
    let centred = move |context: &[f64]| -> Vec<f64> { context.iter().zip(&centre).map(|(x, c)| x - c).collect() };
    let mut ridge = Ridge::new(log.columns, l2);
    if log.columns > 0 {
        of_arm.iter().for_each(|&row| ridge.add(&centred(log.context(row)), log.rewards[row] - mean));
    }
    move |context| if context.is_empty() { mean } else { mean + ridge.predict(&centred(context)) }
}

fn check_target(log: &Log, target: &[f64]) -> Result<()> {
    same_length("the policy's probabilities", log.rows() * log.arms, target.len())?;
    if let Some(i) = target.iter().position(|p| !(0.0..=1.0).contains(p)) {
        let (row, value) = (i / log.arms, target[i]);
        return Err(Error::Value { what: "the policy's probability", row, value, valid: "0 to 1" });
    }
    let sums = target.chunks_exact(log.arms).map(|row| row.iter().sum::<f64>());
    match sums.enumerate().find(|(_, sum)| (sum - 1.0).abs() > SMALL_REST) {
        Some((row, value)) => {
            Err(Error::Value { what: "the sum of the policy's probabilities", row, value, valid: "1" })
        }
        None => Ok(()),
    }
}

/// The mean of the terms and the variance of that mean.
fn mean_and_variance(terms: &[f64]) -> (f64, f64) {
    let rows = terms.len() as f64;
    let mean = terms.iter().sum::<f64>() / rows;
    (mean, terms.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / (rows - 1.0) / rows)
}
