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
    let standard_error = difference.standard_error()?;
    let degrees = degrees(control, treatment);
    let width = student_critical(1.0 - level, degrees) * standard_error;
    let estimate = difference.estimate;
    let p_value = student_two_sided(estimate / standard_error, degrees);
    Ok(Effect { estimate, standard_error, low: estimate - width, high: estimate + width, p_value })
}

/// Of two groups that do not both have variance 0; in shares of the whole variance, so that squares cannot overflow.
fn degrees(control: &Sample, treatment: &Sample) -> f64 {
    let (a, b) = (control.variance_of_mean(), treatment.variance_of_mean());
    let (a, b) = (a / (a + b), b / (a + b));
    1.0 / (a * a / (control.rows - 1) as f64 + b * b / (treatment.rows - 1) as f64)
}
