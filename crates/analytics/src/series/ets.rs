//! Exponential smoothing with additive errors: a level, a trend that may be damped and a season, each corrected by a share
//! of the error of every step. As a state-space model it has a likelihood, and variances of what lies ahead in closed form
//! (Hyndman, Koehler, Ord & Snyder, Forecasting with Exponential Smoothing, 2008, 3.4 and 6.3). Only additive forms: they
//! also fit a metric that is 0 or negative on some days; for a season that grows with the level, give logarithms.

use std::f64::consts::PI;
use std::fmt;

use super::fit;
use super::model::Spread;
use crate::error::{Error, Result, all_in_bounds, not_empty};

/// How the level moves by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trend {
    None,
    Linear,
    /// Dies out ahead by the factor `phi` a step.
    Damped,
}

/// Which parts a model has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    pub trend: Trend,
    /// Steps in a season; 1 for none.
    pub season: usize,
}

/// Shares of an error that go into level, trend and season (Hyndman's α, β and γ, not the older β* = β / α), and the
/// factor of the trend. Without a trend `beta` is 0 and `phi` 1, without a season `gamma` is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoothing {
    pub alpha: f64,
    pub beta: f64,
    pub gamma: f64,
    pub phi: f64,
}

/// What the model knows between two steps.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub level: f64,
    pub trend: f64,
    /// From that of the next step on; empty for none.
    pub season: Vec<f64>,
}

/// A model run over a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Ets {
    pub smoothing: Smoothing,
    /// Before the first value.
    pub initial: State,
    /// After the last value.
    pub last: State,
    /// Value less what was expected one step before.
    pub residuals: Vec<f64>,
    pub sum_of_squares: f64,
    /// Of one step's error: √(sum of squares / degrees of freedom), which are the values less what was fitted to them.
    pub deviation: f64,
    /// At its highest over the deviation; infinite where every residual is 0.
    pub log_likelihood: f64,
}

impl Form {
    /// How many numbers a fit finds: smoothing and initial state, whose season sums to 0.
    pub(super) fn parameters(self) -> usize {
        let trend = match self.trend {
            Trend::None => 0,
            Trend::Linear => 2,
            Trend::Damped => 3,
        };
        2 + trend + if self.season > 1 { self.season } else { 0 }
    }

    /// Fewest values of a fit: two seasons, and two more than are fitted.
    pub(super) fn fewest(self) -> usize {
        (self.parameters() + 2).max(if self.season > 1 { 2 * self.season } else { 0 })
    }
}

impl fmt::Display for Form {
    /// As Hyndman writes it: ETS(error, trend, season).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trend = match self.trend {
            Trend::None => "N",
            Trend::Linear => "A",
            Trend::Damped => "Ad",
        };
        write!(f, "ETS(A,{trend},{})", if self.season > 1 { "A" } else { "N" })
    }
}

impl Ets {
    /// Maximum likelihood, which for additive errors is the least sum of squares; parameters in the usual region, `phi` from
    /// 0.8 to 0.98. Fails for a value that is not finite and for too few values for the form.
    pub fn fit(values: &[f64], form: Form) -> Result<Self> {
        check(values)?;
        if form.season == 0 {
            return Err(Error::Setting { name: "season", value: 0.0, valid: "1 for none, or more" });
        }
        if values.len() < form.fewest() {
            return Err(Error::Length { what: "the series", expected: form.fewest(), found: values.len() });
        }
        Ok(fit::fit(values, form, None))
    }

    /// With everything given, nothing fitted.
    pub fn with(values: &[f64], smoothing: Smoothing, initial: State) -> Result<Self> {
        check(values)?;
        let Smoothing { alpha, beta, gamma, phi } = smoothing;
        for (name, value) in [("alpha", alpha), ("beta", beta), ("gamma", gamma), ("phi", phi)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::Setting { name, value, valid: "0 to 1" });
            }
        }
        check(&[&[initial.level, initial.trend], initial.season.as_slice()].concat())?;
        Ok(Self::run(values, smoothing, initial, 0))
    }

    /// `fitted` numbers were found from the same values.
    pub(super) fn run(values: &[f64], smoothing: Smoothing, initial: State, fitted: usize) -> Self {
        let mut last = initial.clone();
        let residuals = filter(values.iter().copied(), smoothing, &mut last);
        let sum_of_squares: f64 = residuals.iter().map(|e| e * e).sum();
        let rows = values.len() as f64;
        let deviation = (sum_of_squares / values.len().saturating_sub(fitted).max(1) as f64).sqrt();
        let log_likelihood = -rows / 2.0 * ((2.0 * PI * sum_of_squares / rows).ln() + 1.0);
        Self { smoothing, initial, last, residuals, sum_of_squares, deviation, log_likelihood }
    }

    /// The next `horizon` steps.
    pub fn ahead(&self, horizon: usize) -> Vec<Spread> {
        let Smoothing { alpha, beta, gamma, phi } = self.smoothing;
        let season = &self.last.season;
        let (mut damped, mut carried, mut variance) = (phi, 0.0, 1.0);
        let mut ahead = Vec::with_capacity(horizon);
        for step in 1..=horizon {
            carried += damped;
            damped *= phi;
            let seasonal = if season.is_empty() { 0.0 } else { season[(step - 1) % season.len()] };
            let mean = self.last.level + carried * self.last.trend + seasonal;
            ahead.push(Spread { mean, deviation: self.deviation * f64::sqrt(variance) });
            let returns = !season.is_empty() && step % season.len() == 0;
            variance += (alpha + beta * carried + if returns { gamma } else { 0.0 }).powi(2);
        }
        ahead
    }
}

/// Residuals of a run from `state`, which becomes that after the last value.
pub(super) fn filter(values: impl Iterator<Item = f64>, smoothing: Smoothing, state: &mut State) -> Vec<f64> {
    let Smoothing { alpha, beta, gamma, phi } = smoothing;
    let mut none = [0.0];
    let season = if state.season.is_empty() { &mut none[..] } else { &mut state.season[..] };
    let mut next = 0;
    let residual = |value: f64| {
        let trend = phi * state.trend;
        let error = value - state.level - trend - season[next];
        state.level += trend + alpha * error;
        state.trend = trend + beta * error;
        season[next] += gamma * error;
        next = if next + 1 == season.len() { 0 } else { next + 1 };
        error
    };
    let residuals = values.map(residual).collect();
    season.rotate_left(next);
    residuals
}

pub(super) fn check(values: &[f64]) -> Result<()> {
    not_empty("the series", values.len())?;
    all_in_bounds("the series", values)
}
