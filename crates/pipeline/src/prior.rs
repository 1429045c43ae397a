//! What a model may start from, so that it only learns what to change: how often and how lately each customer bought, as a
//! buy-till-you-die model reads that.
//!
//! Pareto/NBD knows four numbers of a shop and answers over any time, which makes it strong where history is short and lets
//! answers look further ahead than the labels that were learnt from. A network knows everything else. So the model's outputs
//! are sums: the prior's log-odds and logarithms over the asked horizon, which are its offsets, and what the network adds, which
//! it learnt over the learnt horizon and which is taken to hold as long. What the prior says over the learnt horizon is an
//! input besides.

use crate::buying::{self, DAYS_PER_WEEK};
use crate::error::{Error, Result};
use crate::features::Features;
use crate::task::Task;
use analytics::btyd::{Forecast, GammaGamma, ParetoNbd, PurchaseModel, Summary};
use rayon::prelude::*;
use sequences::{Head, TargetKind};
use serde::{Deserialize, Serialize};
use warehouse::Warehouse;

/// The models that can be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriorKind {
    /// Pareto/NBD of how often, Gamma-Gamma of for how much.
    ParetoNbd,
}

/// One that is fitted, in weeks and the source's currency.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prior {
    /// r, α, s, β.
    pub pareto_nbd: [f64; 4],
    /// p, q, v.
    pub gamma_gamma: [f64; 3],
}

/// What it says that a model reads, whatever its head: logarithms of the purchases expected over the learnt horizon and of the
/// value of one, and the log-odds that the customer has not left.
const INPUTS: [&str; 3] = ["prior_log_purchases", "prior_log_purchase_value", "prior_log_odds_active"];

/// Nothing is surer, or rarer, than this.
const SUREST: f64 = 1e-4;

/// The names of a head's offsets; none for one that takes no prior.
pub(crate) fn offsets(head: Head) -> &'static [&'static str] {
    match head {
        Head::Churn => &["prior_log_odds"],
        Head::Clv => &["prior_log_odds", "prior_log_value"],
        Head::Count => &["prior_log_count"],
        Head::NextPurchase | Head::NextItem | Head::Binary | Head::Amount => &[],
    }
}

/// Whether a model's input of this name comes from its prior.
pub(crate) fn is_of_prior(name: &str) -> bool {
    INPUTS.contains(&name) || [Head::Churn, Head::Clv, Head::Count].iter().any(|head| offsets(*head).contains(&name))
}

impl Prior {
    /// That of a task, fitted on all purchases before its test cut-off; None where it has none.
    ///
    /// # Errors
    /// A shop where nobody bought twice.
    pub(crate) async fn fit(warehouse: &Warehouse, snapshot: u64, task: &Task, test: i64) -> Result<Option<Prior>> {
        match task.prior {
            None => Ok(None),
            Some(PriorKind::ParetoNbd) => {
                let customers = buying::buyers(warehouse, snapshot, test).await?;
                let fitted = tokio::task::block_in_place(|| Prior::of(&customers));
                let problem = |error| format!("prior = \"pareto_nbd\" can't be fitted: {error}; leave it out");
                let unfitted = |error| Error::Task { task: task.name.clone(), problem: problem(error) };
                fitted.map(Some).map_err(unfitted)
            }
        }
    }

    fn of(customers: &[Summary]) -> analytics::Result<Prior> {
        let ParetoNbd { r, alpha, s, beta } = ParetoNbd::fit(customers)?;
        let GammaGamma { p, q, v } = GammaGamma::fit(customers)?;
        Ok(Prior { pareto_nbd: [r, alpha, s, beta], gamma_gamma: [p, q, v] })
    }

    /// What it says of each key: the inputs over the task's learnt horizon, then its head's offsets over `days`.
    pub(crate) async fn features(
        &self,
        warehouse: &Warehouse,
        snapshot: u64,
        task: &Task,
        keys: &[(String, i64)],
        days: u32,
    ) -> Result<Features> {
        self.says(task, &buying::summaries(warehouse, snapshot, keys).await?, days)
    }

    /// The same of what each customer bought.
    pub(crate) fn says(&self, task: &Task, summaries: &[Option<Summary>], days: u32) -> Result<Features> {
        let head = task.head()?;
        let Prior { pareto_nbd: [r, alpha, s, beta], gamma_gamma: [p, q, v] } = *self;
        let (purchases, spend) = (ParetoNbd::new(r, alpha, s, beta)?, GammaGamma::new(p, q, v)?);
        let outlook = |customer: &Summary, days: u32| purchases.outlook(customer, f64::from(days) / DAYS_PER_WEEK);
        let row = |customer: &Option<Summary>| -> Vec<f32> {
            let worth = spend.expected_value(&customer.unwrap_or(NEVER));
            let says = |days| customer.as_ref().map_or(GONE, |customer| outlook(customer, days));
            let (learnt, asked) = (says(task.learnt_days()), says(days));
            let inputs = [log(learnt.expected), log(worth), log_odds(learnt.p_alive)];
            inputs.into_iter().chain(offsets_of(head, &asked, worth)).map(|x| x as f32).collect()
        };
        let values: Vec<Vec<f32>> = tokio::task::block_in_place(|| summaries.par_iter().map(row).collect());
        let names = INPUTS.iter().chain(offsets(head)).map(|name| name.to_string()).collect();
        Ok(Features::new("the prior", names, values.concat()))
    }
}

/// Who never bought: all of his orders were cancelled, say. He is taken for gone.
const NEVER: Summary = Summary { x: 0.0, t_x: 0.0, t: 0.0, value: 0.0 };
const GONE: Forecast = Forecast { expected: 0.0, p_alive: 0.0, p_zero: 1.0 };

/// A head's offsets, in the order of their names; `worth` is the value of a purchase.
fn offsets_of(head: Head, forecast: &Forecast, worth: f64) -> Vec<f64> {
    let p_some = 1.0 - forecast.p_zero;
    match head.target_kind() {
        TargetKind::Label => vec![log_odds(forecast.p_zero)],
        // Where something is bought it is at least one purchase.
        TargetKind::Amount => vec![log_odds(p_some), log(worth * (forecast.expected / p_some.max(SUREST)).max(1.0))],
        TargetKind::Count => vec![log(forecast.expected)],
        TargetKind::Next => Vec::new(),
    }
}

fn log(x: f64) -> f64 {
    x.max(SUREST).ln()
}

fn log_odds(p: f64) -> f64 {
    let p = p.clamp(SUREST, 1.0 - SUREST);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    #[test]
    fn offsets_are_the_forecast_in_the_units_of_the_outputs() {
        let forecast = Forecast { expected: 1.5, p_alive: 0.8, p_zero: 0.4 };
        let churn = offsets_of(Head::Churn, &forecast, 20.0);
        assert!((sigmoid(churn[0]) - 0.4).abs() < 1e-12);
        let clv = offsets_of(Head::Clv, &forecast, 20.0);
        assert!((sigmoid(clv[0]) * clv[1].exp() - 1.5 * 20.0).abs() < 1e-9, "{clv:?}");
        assert!((offsets_of(Head::Count, &forecast, 20.0)[0].exp() - 1.5).abs() < 1e-12);
        for head in [Head::Churn, Head::Clv, Head::Count] {
            for forecast in [forecast, GONE, Forecast { expected: 1e9, p_alive: 1.0, p_zero: 0.0 }] {
                let found = offsets_of(head, &forecast, 0.0);
                assert_eq!(found.len(), offsets(head).len());
                assert!(found.iter().all(|x| x.is_finite()), "{found:?}");
            }
        }
    }

    #[test]
    fn where_nobody_bought_twice_there_is_none() {
        let once = Summary { x: 0.0, t_x: 0.0, t: 9.0, value: 0.0 };
        let message = Prior::of(&[once, once]).unwrap_err().to_string();
        assert!(message.contains("second time"), "{message}");
    }
}
