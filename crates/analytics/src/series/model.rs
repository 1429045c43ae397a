//! The models that compete for a series.

use std::fmt;

use super::ets::{Ets, Form, Smoothing, Trend};
use super::fit;
use super::naive::Naive;

/// What a model expects of a later step, and how far off it thinks to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub mean: f64,
    pub deviation: f64,
}

/// A way to forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// As a season ago; with a season of 1 as the last value.
    SeasonalNaive {
        season: usize,
    },
    Ets(Form),
}

impl Method {
    /// The baseline first, then exponential smoothing from few parts to many: those that `values` are enough for. A season
    /// of the baseline takes one more value than it has steps, one that is smoothed two whole seasons.
    pub(super) fn candidates(values: usize, season: usize) -> Vec<Method> {
        let mut methods = vec![Method::SeasonalNaive { season: if values > season { season } else { 1 } }];
        let seasons: &[usize] = if season > 1 { &[1, season] } else { &[1] };
        for &season in seasons {
            let forms = [Trend::None, Trend::Damped, Trend::Linear].map(|trend| Form { trend, season });
            methods.extend(forms.into_iter().filter(|form| form.fewest() <= values).map(Method::Ets));
        }
        methods
    }

    /// The same without the baseline, unless there is no other.
    pub(super) fn smoothing_candidates(values: usize, season: usize) -> Vec<Method> {
        let mut methods = Self::candidates(values, season);
        if methods.len() > 1 {
            methods.remove(0);
        }
        methods
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Method::SeasonalNaive { season: 1 } => write!(f, "naive"),
            Method::SeasonalNaive { .. } => write!(f, "seasonal naive"),
            Method::Ets(form) => write!(f, "{form}"),
        }
    }
}

/// A fitted one.
pub(super) enum Model {
    Naive(Naive),
    Ets(Ets),
}

impl Model {
    /// Of a method that the values are enough for. `near` are parameters found on almost the same values.
    pub(super) fn fit(method: Method, values: &[f64], near: Option<Smoothing>) -> Self {
        match method {
            Method::SeasonalNaive { season } => Model::Naive(Naive::fit(values, season)),
            Method::Ets(form) => Model::Ets(fit::fit(values, form, near)),
        }
    }

    pub(super) fn smoothing(&self) -> Option<Smoothing> {
        match self {
            Model::Naive(_) => None,
            Model::Ets(ets) => Some(ets.smoothing),
        }
    }

    pub(super) fn ahead(&self, horizon: usize) -> Vec<Spread> {
        match self {
            Model::Naive(naive) => naive.ahead(horizon),
            Model::Ets(ets) => ets.ahead(horizon),
        }
    }

    /// Errors of one step, of the last values.
    pub(super) fn residuals(&self) -> &[f64] {
        match self {
            Model::Naive(naive) => &naive.residuals,
            Model::Ets(ets) => &ets.residuals,
        }
    }
}
