//! Which inputs say the same: pairs that rank customers nearly alike.

use super::units::{Unit, value};
use crate::error::Result;
use analytics::metrics::spearman;
use rayon::prelude::*;
use sequences::Example;
use serde::Serialize;

/// A more important input that ranks customers nearly alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Redundancy {
    /// `group.input`.
    pub with: String,
    /// Spearman's; unknown values rank below all others, as the model reads them.
    pub correlation: f64,
}

/// Ranks that agree more than this, the same way round or not, tell a model nothing of their own.
const ALIKE: f64 = 0.95;

/// For each unit, the most important first, the one before it that is most like it, where any is that much. Only single
/// aggregates and features are compared.
pub(super) fn redundancies(units: &[&Unit], examples: &[&Example]) -> Result<Vec<Option<Redundancy>>> {
    // Below every float.
    const UNKNOWN: f64 = f64::MIN;
    let known = |x: f32| if x.is_nan() { UNKNOWN } else { f64::from(x) };
    let columns: Vec<Option<Vec<f64>>> = units
        .iter()
        .map(|unit| {
            let input = unit.column()?;
            let values: Vec<f64> = examples.iter().map(|example| known(value(example, input))).collect();
            // The ranks of what never differs are not defined.
            values.iter().any(|value| *value != values[0]).then_some(values)
        })
        .collect();
    let most_like = |place: usize| -> Result<Option<Redundancy>> {
        let mut found: Option<Redundancy> = None;
        let Some(own) = &columns[place] else { return Ok(None) };
        for (unit, other) in units[..place].iter().zip(&columns) {
            let Some(other) = other else { continue };
            let correlation = spearman(own, other)?;
            let least = found.as_ref().map_or(ALIKE, |found| found.correlation.abs());
            if correlation.abs() > least {
                let group = unit.group.iter().map(|group| format!("{group}."));
                let with = group.chain([unit.name.clone()]).collect();
                found = Some(Redundancy { with, correlation: correlation.clamp(-1.0, 1.0) });
            }
        }
        Ok(found)
    };
    (0..units.len()).into_par_iter().map(most_like).collect()
}
