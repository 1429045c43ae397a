//! Buy-till-you-die models: what purchase counts alone say of churn and value.

use crate::buying::{self, DAYS_PER_WEEK};
use crate::dataset::Labels;
use crate::error::Result;
use crate::runs::Plan;
use analytics::btyd::{Forecast, GammaGamma, PurchaseModel, Summary};
use warehouse::Warehouse;

/// A fitted model of purchase counts with the value of a purchase, for each customer at the test cut-off.
pub(crate) struct BuyTillYouDie {
    pub(crate) name: &'static str,
    pub(crate) forecasts: Vec<Forecast>,
    /// Expected value of one purchase, in the source's currency.
    pub(crate) values: Vec<f64>,
}

impl BuyTillYouDie {
    pub(crate) fn churn(&self) -> Vec<f64> {
        self.forecasts.iter().map(|f| f.p_zero).collect()
    }

    pub(crate) fn purchases(&self) -> Vec<f64> {
        self.forecasts.iter().map(|f| f.expected).collect()
    }

    pub(crate) fn value(&self) -> Vec<f64> {
        self.forecasts.iter().zip(&self.values).map(|(f, value)| f.expected * value).collect()
    }
}

/// BG/NBD and Pareto/NBD, each with Gamma-Gamma, fitted on all purchases before the test cut-off.
pub(crate) async fn buy_till_you_die(warehouse: &Warehouse, plan: &Plan, test: &Labels) -> Result<Vec<BuyTillYouDie>> {
    // Only customers with a purchase enter the fit; one without (all orders cancelled, say) counts as never returning.
    let all = buying::summaries(warehouse, plan.snapshot, &test.keys).await?;
    let fitted: Vec<Summary> = all.iter().flatten().copied().collect();
    let horizon = f64::from(plan.task.horizon_days) / DAYS_PER_WEEK;
    let spend = GammaGamma::fit(&fitted)?;
    let forecast = |name, model: &dyn PurchaseModel| -> Result<BuyTillYouDie> {
        let mut forecasts = model.forecast(&fitted, horizon)?.into_iter();
        let gone = Forecast { expected: 0.0, p_alive: 0.0, p_zero: 1.0 };
        Ok(BuyTillYouDie {
            name,
            forecasts: all.iter().map(|s| s.and_then(|_| forecasts.next()).unwrap_or(gone)).collect(),
            values: all.iter().map(|s| s.map_or(0.0, |s| spend.expected_value(&s))).collect(),
        })
    };
    Ok(vec![
        forecast("BG/NBD + Gamma-Gamma", &analytics::btyd::BgNbd::fit(&fitted)?)?,
        forecast("Pareto/NBD + Gamma-Gamma", &analytics::btyd::ParetoNbd::fit(&fitted)?)?,
    ])
}
