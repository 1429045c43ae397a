//! Buy till you die: how often will each customer buy again, given only how often and how lately he did. A customer is
//! three numbers (`Summary`), so a model with four parameters is fitted by maximum likelihood on all customers in
//! seconds; `GammaGamma` adds what an order is worth. Both models of counts answer through `PurchaseModel`.
//!
//! Time is in any one unit (`days_per_unit` of `summaries`); rates, ages and horizons are in that unit.

mod bg_nbd;
mod gamma_gamma;
mod group;
mod optimise;
mod pareto_nbd;
mod summary;

use rayon::prelude::*;

use crate::error::{Error, Result};

pub use bg_nbd::BgNbd;
pub use gamma_gamma::GammaGamma;
pub use pareto_nbd::ParetoNbd;
pub use summary::{Summary, Transaction, summaries};

/// What a model expects of one customer over a horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Purchases in the horizon.
    pub expected: f64,
    /// Probability that the customer has not left at the end of observation. Not the chance of a purchase: see `p_zero`.
    pub p_alive: f64,
    /// Probability of no purchase in the horizon, whether gone or only quiet.
    pub p_zero: f64,
}

/// A fitted model of purchase counts. Summaries given to the one-customer methods must be valid (`Summary::check`).
pub trait PurchaseModel: Sync {
    /// Log likelihood of one history.
    fn log_likelihood(&self, customer: &Summary) -> f64;

    /// Probability that the customer is still active at age `t`.
    fn p_alive(&self, customer: &Summary) -> f64;

    /// Purchases expected between age `t` and `t + horizon`.
    fn expected(&self, customer: &Summary, horizon: f64) -> f64;

    /// Probability of no purchase between age `t` and `t + horizon`. That future is the same history seen later, so it
    /// is a ratio of two likelihoods, exact for any model.
    fn p_zero(&self, customer: &Summary, horizon: f64) -> f64 {
        (self.log_likelihood(&customer.later(horizon)) - self.log_likelihood(customer)).exp().min(1.0)
    }

    /// All three answers for one customer.
    fn outlook(&self, customer: &Summary, horizon: f64) -> Forecast {
        Forecast {
            expected: self.expected(customer, horizon),
            p_alive: self.p_alive(customer),
            p_zero: self.p_zero(customer, horizon),
        }
    }

    /// Log likelihood of all histories together.
    fn total_log_likelihood(&self, customers: &[Summary]) -> Result<f64> {
        summary::check_all(customers)?;
        let each: Vec<f64> = customers.par_iter().map(|c| self.log_likelihood(c)).collect();
        Ok(each.iter().sum())
    }

    /// Forecasts of many customers, in their order, on all threads. `horizon` is positive and finite.
    fn forecast(&self, customers: &[Summary], horizon: f64) -> Result<Vec<Forecast>> {
        if !(horizon > 0.0 && horizon.is_finite()) {
            return Err(Error::Setting { name: "horizon", value: horizon, valid: "above 0 and finite" });
        }
        summary::check_all(customers)?;
        Ok(customers.par_iter().map(|c| self.outlook(c, horizon)).collect())
    }
}

/// A customer of whom nothing but a first purchase today is known.
const NEW: Summary = Summary { x: 0.0, t_x: 0.0, t: 0.0, value: 0.0 };

fn check_parameters<const N: usize>(named: [(&'static str, f64); N]) -> Result<()> {
    match named.into_iter().find(|(_, value)| !(*value > 0.0 && value.is_finite())) {
        Some((name, value)) => Err(Error::Setting { name, value, valid: "above 0 and finite" }),
        None => Ok(()),
    }
}
