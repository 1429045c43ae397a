//! How many customers an experiment takes, how sure it is to see an effect, and which effect it can see: one equation
//! in three unknowns. Means are compared by the t test with equal variances (its power is the noncentral t), rates by
//! the normal test of Cohen's h, the difference of their arcsines, as statsmodels' TTestIndPower and NormalIndPower.

use crate::distributions::{normal_cdf, normal_quantile, student_critical};
use crate::error::{Error, Result, positive, valid_level};
use crate::quadrature::NODES;

/// A two-sided test that is to be planned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Design {
    /// Coverage of the interval that the test will have, 1 − its significance.
    pub level: f64,
    /// Chance of seeing the effect if it is there; above 1 − level and below 1.
    pub power: f64,
    /// Customers of the treatment per customer of the control.
    pub ratio: f64,
}

impl Default for Design {
    fn default() -> Self {
        Self { level: 0.95, power: 0.8, ratio: 1.0 }
    }
}

/// Customers of a group beyond which an effect counts as too small to be seen.
const MOST_ROWS: f64 = 1e15;
const MAX_STEPS: usize = 300;
/// Panels over the density of the deviation, and its reach in standard deviations.
const PANELS: usize = 20;
const REACH: f64 = 12.0;

impl Design {
    /// Chance of seeing a difference of two means with `control_rows` customers in the control, each group having 2 or more;
    /// `deviation` is the standard deviation of a customer.
    pub fn power_of_means(&self, difference: f64, deviation: f64, control_rows: f64) -> Result<f64> {
        self.power_at(standardised(difference, deviation)?, control_rows, means)
    }

    /// Customers of the control that it takes to see that difference, not rounded.
    pub fn rows_for_means(&self, difference: f64, deviation: f64) -> Result<f64> {
        self.rows_for(standardised(difference, deviation)?, means)
    }

    /// The smallest difference of means that is seen with `control_rows` customers in the control.
    pub fn detectable_difference(&self, deviation: f64, control_rows: f64) -> Result<f64> {
        positive("the deviation", deviation)?;
        Ok(self.detectable(control_rows, means)? * deviation)
    }

    /// Chance of seeing the difference of two rates, each 0 to 1.
    pub fn power_of_rates(&self, control_rate: f64, treatment_rate: f64, control_rows: f64) -> Result<f64> {
        self.power_at(cohen(control_rate, treatment_rate)?, control_rows, rates)
    }

    /// Customers of the control that it takes to see the difference of two rates, not rounded.
    pub fn rows_for_rates(&self, control_rate: f64, treatment_rate: f64) -> Result<f64> {
        self.rows_for(cohen(control_rate, treatment_rate)?, rates)
    }

    /// The smallest higher rate of the treatment that is seen with `control_rows` customers in the control; fails where
    /// even 1 is not.
    pub fn detectable_rate(&self, control_rate: f64, control_rows: f64) -> Result<f64> {
        cohen(control_rate, control_rate)?;
        let angle = control_rate.sqrt().asin() + self.detectable(control_rows, rates)? / 2.0;
        if angle <= std::f64::consts::FRAC_PI_2 {
            return Ok(angle.sin().powi(2));
        }
        Err(Error::Undefined {
            metric: "the detectable rate",
            why: "even a rate of 1 could not be told from the control's",
        })
    }

    fn check(&self) -> Result<()> {
        valid_level(self.level)?;
        positive("ratio", self.ratio)?;
        if self.power > 1.0 - self.level && self.power < 1.0 {
            return Ok(());
        }
        Err(Error::Setting { name: "power", value: self.power, valid: "above 1 − level and below 1" })
    }

    /// Customers of the control with which both groups have two or more.
    fn least_rows(&self) -> f64 {
        2.0 * (1.0f64).max(1.0 / self.ratio)
    }

    fn power_at(&self, effect: f64, control_rows: f64, power: fn(&Self, f64, f64) -> f64) -> Result<f64> {
        self.check()?;
        self.check_rows(control_rows)?;
        Ok(power(self, effect, control_rows))
    }

    fn check_rows(&self, control_rows: f64) -> Result<()> {
        if control_rows >= self.least_rows() && control_rows <= MOST_ROWS {
            return Ok(());
        }
        let valid = "2 or more in both groups, and at most 1e15";
        Err(Error::Setting { name: "the number of customers", value: control_rows, valid })
    }

    fn rows_for(&self, effect: f64, power: fn(&Self, f64, f64) -> f64) -> Result<f64> {
        self.check()?;
        let seen = |rows: f64| power(self, effect, rows) >= self.power;
        if !seen(MOST_ROWS) {
            return Err(Error::Undefined {
                metric: "the number of customers",
                why: "so small an effect is never seen",
            });
        }
        Ok(first(self.least_rows(), MOST_ROWS, seen))
    }

    fn detectable(&self, control_rows: f64, power: fn(&Self, f64, f64) -> f64) -> Result<f64> {
        self.check()?;
        self.check_rows(control_rows)?;
        Ok(first(f64::MIN_POSITIVE, 1e6, |effect| power(self, effect, control_rows) >= self.power))
    }

    /// √ of the rows of one group in units of which the variance of a difference of means is 1.
    fn root_rows(&self, control_rows: f64) -> f64 {
        (control_rows * self.ratio / (1.0 + self.ratio)).sqrt()
    }
}

fn means(design: &Design, effect: f64, control_rows: f64) -> f64 {
    let degrees = control_rows * (1.0 + design.ratio) - 2.0;
    let critical = student_critical(1.0 - design.level, degrees);
    beyond_noncentral(critical, effect.abs() * design.root_rows(control_rows), degrees)
}

fn rates(design: &Design, effect: f64, control_rows: f64) -> f64 {
    let critical = -normal_quantile((1.0 - design.level) / 2.0);
    let shift = effect.abs() * design.root_rows(control_rows);
    normal_cdf(shift - critical) + normal_cdf(-shift - critical)
}

/// P(|T| > critical) of the noncentral t: the normal's over the density of s = √(χ² / degrees), which is
/// proportional to s^(degrees − 1) exp(−degrees s² / 2) and is brought to 1 by its own sum.
fn beyond_noncentral(critical: f64, shift: f64, degrees: f64) -> f64 {
    let reach = REACH / (2.0 * degrees).sqrt();
    let (low, high) = ((1.0 - reach).max(0.0), 1.0 + reach);
    let width = (high - low) / PANELS as f64;
    let (mut beyond, mut total) = (0.0, 0.0);
    for panel in 0..PANELS {
        for (node, weight) in NODES.iter() {
            let s = low + (panel as f64 + node) * width;
            let density = weight * ((degrees - 1.0) * s.ln() - degrees * (s - 1.0) * (s + 1.0) / 2.0).exp();
            total += density;
            beyond += density * (normal_cdf(shift - critical * s) + normal_cdf(-shift - critical * s));
        }
    }
    beyond / total
}

/// The smallest number in low..=high for which `holds`, which holds from there on and at `high`; geometric bisection.
fn first(low: f64, high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    if holds(low) {
        return low;
    }
    let (mut low, mut high) = (low, high);
    for _ in 0..MAX_STEPS {
        let middle = if high > 2.0 * low { low.sqrt() * high.sqrt() } else { low + (high - low) / 2.0 };
        if middle <= low || middle >= high {
            break;
        }
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

fn standardised(difference: f64, deviation: f64) -> Result<f64> {
    positive("the deviation", deviation)?;
    let effect = difference / deviation;
    if effect.is_finite() {
        return Ok(effect);
    }
    Err(Error::Setting { name: "the difference", value: difference, valid: "a finite number" })
}

fn cohen(control_rate: f64, treatment_rate: f64) -> Result<f64> {
    for (name, value) in [("the control's rate", control_rate), ("the treatment's rate", treatment_rate)] {
        if !(0.0..=1.0).contains(&value) {
            return Err(Error::Setting { name, value, valid: "0 to 1" });
        }
    }
    Ok(2.0 * (treatment_rate.sqrt().asin() - control_rate.sqrt().asin()))
}
