//! Which model forecasts a series: the one that would have forecast its last values best, each origin seeing only what
//! came before it. A likelihood cannot tell a model of the last value from one with a season; their errors can.

use super::ets::Smoothing;
use super::model::{Method, Model};

/// How a method did on the last values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    pub method: Method,
    /// Over all steps ahead of all origins, in the unit of the series.
    pub mean_absolute_error: f64,
}

/// What was chosen.
pub(super) struct Choice {
    pub(super) trials: Vec<Trial>,
    pub(super) method: Method,
    /// Fitted to all values.
    pub(super) model: Model,
}

/// The method of least error over `origins` origins, each a step before the next and the last `horizon` steps before the
/// end; fewer where the values begin too late. `candidates` are one or more for that many values, the simplest first: it
/// wins among equals, and takes a series too short to hold anything back.
pub(super) fn choose(
    values: &[f64],
    candidates: impl Fn(usize) -> Vec<Method>,
    horizon: usize,
    origins: usize,
) -> Choice {
    // Two values are the fewest that a baseline has an error of.
    let last = values.len().saturating_sub(horizon);
    let origins: Vec<usize> = (2..=last).rev().take(origins).collect();
    let Some(&first) = origins.last() else {
        let method = candidates(values.len())[0];
        return Choice { trials: vec![], method, model: Model::fit(method, values, None) };
    };
    let trials: Vec<(Trial, Option<Smoothing>)> = candidates(first)
        .into_iter()
        .map(|method| {
            let (mean_absolute_error, near) = try_out(method, values, &origins, horizon);
            (Trial { method, mean_absolute_error }, near)
        })
        .collect();
    let best = (1..trials.len())
        .fold(0, |best, i| if trials[i].0.mean_absolute_error < trials[best].0.mean_absolute_error { i } else { best });
    let (Trial { method, .. }, near) = trials[best];
    let model = Model::fit(method, values, near);
    Choice { method, model, trials: trials.into_iter().map(|(trial, _)| trial).collect() }
}

/// The mean absolute error, and the parameters at the last origin. Each origin's search begins where that of the one
/// before ended.
fn try_out(method: Method, values: &[f64], origins: &[usize], horizon: usize) -> (f64, Option<Smoothing>) {
    let (mut sum, mut near) = (0.0, None);
    for &origin in origins.iter().rev() {
        let model = Model::fit(method, &values[..origin], near);
        near = model.smoothing();
        let ahead = model.ahead(horizon);
        sum += ahead.iter().zip(&values[origin..]).map(|(ahead, value)| (value - ahead.mean).abs()).sum::<f64>();
    }
    (sum / (origins.len() * horizon) as f64, near)
}
