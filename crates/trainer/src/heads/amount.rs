//! What something comes to in the horizon: a customer's lifetime value, or an amount of one's own. A zero-inflated
//! lognormal (Wang, Liu, Miao 2019).

use tch::{Kind, Tensor};

use super::logit;
use crate::losses::{Loss, raw_sigma, sigma, zero_inflated_lognormal};
use crate::scaling::Scaling;

pub(crate) fn start(scaling: &Scaling) -> Vec<f32> {
    vec![logit(scaling.rate), scaling.log_target.mean, raw_sigma(scaling.log_target.deviation)]
}

/// `raw` `[B, 3]`, `values` `[B]`; those below 0 count as 0.
pub(crate) fn loss(raw: &Tensor, values: &Tensor) -> Loss {
    Loss::of(zero_inflated_lognormal(raw, values), values.size()[0])
}

/// Expected value and probability of none, `[B]` each: p exp(mu + sigma² / 2), where the lognormal's mean is kept at
/// the largest value of the training set, for sigma² can make it absurd, and calibrated where the training asked for that.
pub(crate) fn forecast(raw: &Tensor, scaling: &Scaling) -> [Tensor; 2] {
    let raw = raw.to_kind(Kind::Double);
    let p = raw.select(1, 0).sigmoid();
    let expected = &p * log_mean(&raw, scaling).exp();
    [expected, 1.0 - p]
}

/// The natural logarithm of the expected value, `[B]`.
pub(crate) fn log_expected(raw: &Tensor, scaling: &Scaling) -> Tensor {
    let raw = raw.to_kind(Kind::Double);
    raw.select(1, 0).log_sigmoid() + log_mean(&raw, scaling)
}

/// Of the value of those who buy, `[B]`.
fn log_mean(raw: &Tensor, scaling: &Scaling) -> Tensor {
    let log_mean = raw.select(1, 1) + sigma(&raw.select(1, 2)).square() * 0.5;
    log_mean.clamp_max(f64::from(scaling.log_largest)) + f64::from(scaling.log_calibration)
}
