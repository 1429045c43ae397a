//! Intervals that may be looked at every day: an asymptotic confidence sequence holds at all sample sizes at once, so
//! that stopping when it excludes 0 keeps the error rate. Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2023,
//! arXiv 2103.06476v7), equations 9, 155 and 161, over both groups together, as GrowthBook's gbstats has it.

use super::effect::{Difference, Effect, Scale};
use super::sample::Sample;
use crate::error::{Error, Result, valid_level};

/// The effect of `treatment` over `control` with an interval and a p value that are valid at every look. They are
/// tightest when both groups have `tuning` customers together.
pub fn sequential(control: &Sample, treatment: &Sample, scale: Scale, level: f64, tuning: f64) -> Result<Effect> {
    valid_level(level)?;
    if !(tuning >= 1.0 && tuning.is_finite()) {
        return Err(Error::Setting { name: "tuning", value: tuning, valid: "1 or more and finite" });
    }
    let difference = Difference::of(control, treatment, scale)?;
    let standard_error = difference.standard_error()?;
    let rows = control.rows as f64 + treatment.rows as f64;
    let alpha = 1.0 - level;
    let log = -2.0 * alpha.ln();
    let square = (log + log.ln_1p()) / tuning;
    let spread = rows * square + 1.0;
    let width = standard_error * (2.0 * spread * (spread.ln() / 2.0 - alpha.ln()) / (rows * square)).sqrt();
    let estimate = difference.estimate;
    let z = estimate / standard_error;
    let log_evidence = rows * square * z * z / (2.0 * spread) - spread.ln() / 2.0;
    let p_value = (-log_evidence).exp().min(1.0);
    Ok(Effect { estimate, standard_error, low: estimate - width, high: estimate + width, p_value })
}
