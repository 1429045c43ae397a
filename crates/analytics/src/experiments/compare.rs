//! Every variant against one control, with one correction over all of them.

use super::correction::{Correction, adjust};
use super::effect::{Effect, Scale};
use super::proportions::proportions;
use super::sample::{Rate, Sample};
use super::sequential::sequential;
use super::welch::welch;
use crate::error::{Error, Result, valid_level};

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Which group is the control, counted from 0.
    pub control: usize,
    pub scale: Scale,
    /// Coverage of the intervals, between 0 and 1. Under Bonferroni they hold all together; otherwise each on its own.
    pub level: f64,
    pub method: Method,
    pub correction: Correction,
}

/// When the result may be looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Method {
    /// Once, at the size that was planned: Welch's t test of means, the z test of rates.
    #[default]
    Fixed,
    /// At any time, tightest at `tuning` customers.
    Sequential { tuning: f64 },
}

/// One variant against the control.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// In the groups given.
    pub group: usize,
    pub effect: Effect,
    /// After the correction.
    pub adjusted_p: f64,
    /// Whether `adjusted_p` is at most 1 − level.
    pub is_significant: bool,
}

impl Default for Comparison {
    fn default() -> Self {
        Self {
            control: 0,
            scale: Scale::default(),
            level: 0.95,
            method: Method::default(),
            correction: Correction::default(),
        }
    }
}

/// Compares the means of all other groups with the control's. Fails for fewer than two groups, and wherever the test of
/// one of them does.
pub fn compare_means(groups: &[Sample], comparison: &Comparison) -> Result<Vec<Compared>> {
    against_control(groups, comparison, |control, treatment, level| match comparison.method {
        Method::Fixed => welch(control, treatment, comparison.scale, level),
        Method::Sequential { tuning } => sequential(control, treatment, comparison.scale, level, tuning),
    })
}

/// Compares the rates of all other groups with the control's.
pub fn compare_rates(groups: &[Rate], comparison: &Comparison) -> Result<Vec<Compared>> {
    against_control(groups, comparison, |control, treatment, level| match comparison.method {
        Method::Fixed => proportions(*control, *treatment, comparison.scale, level),
        Method::Sequential { tuning } => {
            let (control, treatment) = (Sample::of_rate(*control)?, Sample::of_rate(*treatment)?);
            sequential(&control, &treatment, comparison.scale, level, tuning)
        }
    })
}

fn against_control<G>(
    groups: &[G],
    comparison: &Comparison,
    test: impl Fn(&G, &G, f64) -> Result<Effect>,
) -> Result<Vec<Compared>> {
    if groups.len() < 2 {
        return Err(Error::Length { what: "groups", expected: 2, found: groups.len() });
    }
    let Some(control) = groups.get(comparison.control) else {
        return Err(Error::Setting { name: "control", value: comparison.control as f64, valid: "one of the groups" });
    };
    valid_level(comparison.level)?;
    let alpha = 1.0 - comparison.level;
    let level = comparison.correction.level_of_each(comparison.level, groups.len() - 1);
    let variants = (0..groups.len()).filter(|&group| group != comparison.control);
    let effects: Vec<(usize, Effect)> =
        variants.map(|group| Ok((group, test(control, &groups[group], level)?))).collect::<Result<_>>()?;
    let p_values: Vec<f64> = effects.iter().map(|(_, effect)| effect.p_value).collect();
    let adjusted = adjust(&p_values, comparison.correction)?;
    let compared =
        |((group, effect), adjusted_p)| Compared { group, effect, adjusted_p, is_significant: adjusted_p <= alpha };
    Ok(effects.into_iter().zip(adjusted).map(compared).collect())
}
