//! Welch's t test: two means whose variances need not be equal.

use super::effect::{Difference, Effect, Scale};
use super::sample::Sample;
use crate::distributions::{student_critical, student_two_sided};
use crate::error::{Result, valid_level};

/// The effect of `treatment` over `control` with its interval of coverage `level`. Degrees of freedom are
/// Satterthwaite's, of the absolute difference also for a relative effect. Fails where neither group varies.
pub fn welch(control: &Sample, treatment: &Sample, scale: Scale, level: f64) -> Result<Effect> {
    valid_level(level)?;
    let difference = Difference::of(control, treatment, scale)?;
    let parts = [control, treatment].map(|group| (group.variance_of_mean(), group.rows));
    student(&difference, degrees(parts.into_iter()), level)
}

/// Student's t test of a difference. Fails where its variance is 0.
pub(super) fn student(difference: &Difference, degrees: f64, level: f64) -> Result<Effect> {
    let standard_error = difference.standard_error()?;
    let width = student_critical(1.0 - level, degrees) * standard_error;
    let estimate = difference.estimate;
    let p_value = student_two_sided(estimate / standard_error, degrees);
    Ok(Effect { estimate, standard_error, low: estimate - width, high: estimate + width, p_value })
}

/// Satterthwaite's, of the variances whose sum is that of the difference, each with the rows of its group; not all are 0.
/// In shares of the whole variance, so that squares cannot overflow.
pub(super) fn degrees(parts: impl Iterator<Item = (f64, u64)> + Clone) -> f64 {
    let whole: f64 = parts.clone().map(|(variance, _)| variance).sum();
    let squares = parts.map(|(variance, rows)| (variance / whole) * (variance / whole) / (rows - 1) as f64);
    1.0 / squares.sum::<f64>()
}
