//! Models of the effect on one customer. Linear on purpose: effects are small beside the noise, and a flexible model of
//! each arm mostly finds the noise of both.

use super::check_arms;
use crate::error::{Error, Result, all_finite, all_in_bounds};
use crate::linear::Linear;
use crate::logistic::{Logistic, check_rows};

/// How an effect is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Difference of two logistic regressions, one per arm, for outcomes 0 and 1.
    TwoLogistic,
    /// Difference of two ridge regressions, one per arm.
    TwoLinear,
    /// One ridge regression on y · (t − e) / (e · (1 − e)), t the arm and e the treated share, whose expectation is the effect
    /// (Athey & Imbens 2015).
    Transformed,
}

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpliftSettings {
    pub method: Method,
    /// Ridge on the standardised columns, above 0.
    pub l2: f64,
}

impl Default for UpliftSettings {
    fn default() -> Self {
        Self { method: Method::TwoLogistic, l2: 1.0 }
    }
}

/// A fitted model of the effect.
#[derive(Debug, Clone, PartialEq)]
pub struct UpliftModel {
    fitted: Fitted,
}

#[derive(Debug, Clone, PartialEq)]
enum Fitted {
    TwoLogistic { treated: Logistic, control: Logistic },
    TwoLinear { treated: Linear, control: Linear },
    Transformed(Linear),
}

impl UpliftModel {
    /// `x` is row-major with `columns` numbers a row; `outcomes` and `treated` have one entry a row. Fails for one arm, for
    /// numbers that are not finite and, for `TwoLogistic`, for an arm whose outcomes are all the same or not 0 and 1.
    pub fn fit(
        settings: UpliftSettings,
        x: &[f64],
        columns: usize,
        outcomes: &[f64],
        treated: &[bool],
    ) -> Result<Self> {
        let UpliftSettings { method, l2 } = settings;
        check_arms("uplift", outcomes.len(), treated)?;
        check_rows(x, columns, outcomes.len())?;
        all_in_bounds("outcome", outcomes)?;
        let arm = |of: bool| {
            let rows: Vec<usize> = (0..treated.len()).filter(|&row| treated[row] == of).collect();
            let x: Vec<f64> = rows.iter().flat_map(|row| &x[row * columns..][..columns]).copied().collect();
            (x, rows.iter().map(|&row| outcomes[row]).collect::<Vec<f64>>())
        };
        let fitted = match method {
            Method::TwoLogistic => {
                check_binary(outcomes)?;
                let fit = |of| {
                    let (x, y) = arm(of);
                    Logistic::fit(&x, columns, &y.iter().map(|&y| y == 1.0).collect::<Vec<bool>>(), l2)
                };
                Fitted::TwoLogistic { treated: fit(true)?, control: fit(false)? }
            }
            Method::TwoLinear => {
                let fit = |of| {
                    let (x, y) = arm(of);
                    Linear::fit(&x, columns, &y, l2)
                };
                Fitted::TwoLinear { treated: fit(true)?, control: fit(false)? }
            }
            Method::Transformed => Fitted::Transformed(Linear::fit(x, columns, &transformed(outcomes, treated), l2)?),
        };
        Ok(Self { fitted })
    }

    /// Estimated effect of the treatment on the outcome of each row of `x`, row-major with as many columns as in the fit.
    pub fn effects(&self, x: &[f64]) -> Result<Vec<f64>> {
        let (treated, control) = match &self.fitted {
            Fitted::TwoLogistic { treated, control } => (treated.predict(x)?, control.predict(x)?),
            Fitted::TwoLinear { treated, control } => (treated.predict(x)?, control.predict(x)?),
            Fitted::Transformed(effect) => return effect.predict(x),
        };
        let effects: Vec<f64> = treated.iter().zip(&control).map(|(treated, control)| treated - control).collect();
        all_finite("effect", &effects)?;
        Ok(effects)
    }
}

fn check_binary(outcomes: &[f64]) -> Result<()> {
    match outcomes.iter().position(|&y| y != 0.0 && y != 1.0) {
        Some(row) => Err(Error::Value { what: "outcome", row, value: outcomes[row], valid: "0 or 1" }),
        None => Ok(()),
    }
}

fn transformed(outcomes: &[f64], treated: &[bool]) -> Vec<f64> {
    let share = treated.iter().filter(|&&t| t).count() as f64 / treated.len() as f64;
    let weight = |treated: bool| if treated { 1.0 / share } else { -1.0 / (1.0 - share) };
    outcomes.iter().zip(treated).map(|(y, &treated)| y * weight(treated)).collect()
}
