//! The z test of two proportions. Its p value pools both groups, as under no effect; its intervals are Newcombe's score
//! interval of a difference (method 10, Statistics in Medicine 17, 1998) and Walter's log interval of a ratio
//! (Biometrika 62, 1975), which stay inside what proportions can be and are defined for counts of 0. In a close call the
//! p value and the interval may disagree about 0.

use super::effect::{Difference, Effect, Scale};
use super::sample::{Rate, Sample};
use crate::distributions::{normal_quantile, normal_two_sided};
use crate::error::{Error, Result, valid_level};

/// The effect of `treatment` over `control` with its interval of coverage `level`. Where every customer of both groups
/// did the same the p value is 1. Fails for a relative effect over a control without successes.
pub fn proportions(control: Rate, treatment: Rate, scale: Scale, level: f64) -> Result<Effect> {
    valid_level(level)?;
    control.check()?;
    treatment.check()?;
    if scale == Scale::Relative && control.successes == 0 {
        return Err(Error::Undefined { metric: "the relative effect", why: "the control has no successes" });
    }
    let z = -normal_quantile((1.0 - level) / 2.0);
    let (a, b) = (control.value(), treatment.value());
    let (n, m) = (control.trials as f64, treatment.trials as f64);
    let pooled = (control.successes as f64 + treatment.successes as f64) / (n + m);
    let spread = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    let p_value = if spread > 0.0 { normal_two_sided((b - a) / spread) } else { 1.0 };
    // A group of one customer has no variance of its own, but a proportion has.
    let sample = |rate: Rate, p: f64| Sample { rows: rate.trials.max(2), mean: p, variance: p * (1.0 - p) };
    let difference = Difference::of(&sample(control, a), &sample(treatment, b), scale)?;
    let estimate = difference.estimate;
    let (low, high) = match scale {
        Scale::Absolute => newcombe(control, treatment, z),
        Scale::Relative => {
            let (low, high) = walter(control, treatment, z);
            (low.min(estimate), high.max(estimate))
        }
    };
    Ok(Effect { estimate, standard_error: difference.variance.sqrt(), low, high, p_value })
}

fn newcombe(control: Rate, treatment: Rate, z: f64) -> (f64, f64) {
    let (a, b) = (control.value(), treatment.value());
    let ((a_low, a_high), (b_low, b_high)) = (wilson(control, z), wilson(treatment, z));
    (b - a - (b - b_low).hypot(a_high - a), b - a + (b_high - b).hypot(a - a_low))
}

/// Wilson's score interval of one proportion.
pub(crate) fn wilson(rate: Rate, z: f64) -> (f64, f64) {
    let (n, p) = (rate.trials as f64, rate.value());
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let width = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / (1.0 + z * z / n);
    ((centre - width).clamp(0.0, p), (centre + width).clamp(p, 1.0))
}

/// Of the relative effect, with half a success and half a trial added to each group.
fn walter(control: Rate, treatment: Rate, z: f64) -> (f64, f64) {
    let added = |rate: Rate| (rate.successes as f64 + 0.5, rate.trials as f64 + 0.5);
    let ((a, n), (b, m)) = (added(control), added(treatment));
    let log = (b / m).ln() - (a / n).ln();
    let width = z * (1.0 / b - 1.0 / m + 1.0 / a - 1.0 / n).max(0.0).sqrt();
    ((log - width).exp_m1(), (log + width).exp_m1())
}
