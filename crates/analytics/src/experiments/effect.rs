//! What a treatment changed, absolutely or relative to the control. A relative effect is a ratio of two means, whose
//! variance comes from the delta method: trust it where the control's mean is several standard errors away from 0.

use super::sample::Sample;
use crate::error::{Error, Result};

/// The unit of an effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scale {
    /// Treatment − control, in the metric's unit.
    #[default]
    Absolute,
    /// (Treatment − control) / |control|: 0.1 is 10 % more.
    Relative,
}

/// An effect with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    pub estimate: f64,
    pub standard_error: f64,
    pub low: f64,
    pub high: f64,
    /// Two-sided, of no effect.
    pub p_value: f64,
}

/// An effect before any choice of a test.
#[derive(Debug, Clone, Copy)]
pub(super) struct Difference {
    pub(super) estimate: f64,
    /// Of the estimate.
    pub(super) variance: f64,
}

impl Difference {
    pub(super) fn of(control: &Sample, treatment: &Sample, scale: Scale) -> Result<Self> {
        control.check()?;
        treatment.check()?;
        let (a, b) = (control.mean, treatment.mean);
        let (of_a, of_b) = (control.variance_of_mean(), treatment.variance_of_mean());
        let difference = match scale {
            Scale::Absolute => Self { estimate: b - a, variance: of_b + of_a },
            Scale::Relative if a == 0.0 => {
                return Err(Error::Undefined { metric: "the relative effect", why: "the control's mean is 0" });
            }
            Scale::Relative => {
                Self { estimate: (b - a) / a.abs(), variance: of_b / (a * a) + of_a * (b / a).powi(2) / (a * a) }
            }
        };
        difference.finite()
    }

    /// Itself, or an error where it has left the range of numbers.
    pub(super) fn finite(self) -> Result<Self> {
        if self.estimate.is_finite() && self.variance.is_finite() {
            Ok(self)
        } else {
            Err(Error::Undefined { metric: "the effect", why: "it or its variance is beyond the largest number" })
        }
    }

    /// The standard error, or an error where nothing varies.
    pub(super) fn standard_error(&self) -> Result<f64> {
        if self.variance > 0.0 {
            Ok(self.variance.sqrt())
        } else {
            let why = "neither group varies, so that nothing says how far chance would move it";
            Err(Error::Undefined { metric: "the test", why })
        }
    }
}
