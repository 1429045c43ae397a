//! Buy-till-you-die models: what purchase counts alone say of churn and value.

use crate::columns::Rows;
use crate::dataset::{self, Labels};
use crate::error::Result;
use crate::runs::Plan;
use crate::time::MICROS_PER_DAY;
use analytics::btyd::{Forecast, GammaGamma, PurchaseModel, Summary, Transaction, summaries};
use std::collections::HashMap;
use warehouse::Warehouse;

/// BTYD models are fitted in weeks, as published.
const DAYS_PER_WEEK: f64 = 7.0;

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

    pub(crate) fn value(&self) -> Vec<f64> {
        self.forecasts.iter().zip(&self.values).map(|(f, value)| f.expected * value).collect()
    }
}

/// BG/NBD and Pareto/NBD, each with Gamma-Gamma, fitted on all purchases before the test cut-off.
pub(crate) async fn buy_till_you_die(warehouse: &Warehouse, plan: &Plan, test: &Labels) -> Result<Vec<BuyTillYouDie>> {
    let histories = purchases(warehouse, plan).await?;
    let none: &[Transaction] = &[];
    let of = |(customer, _): &(String, i64)| histories.get(customer).map_or(none, Vec::as_slice);
    // The summaries speak of the end of a day; the cut-off is the midnight after it.
    let end = ((plan.test - 1) / MICROS_PER_DAY) as i32;
    // Only customers with a purchase enter the fit; one without (all orders cancelled, say) counts as never returning.
    let all: Vec<Option<Summary>> = summaries(test.keys.iter().map(of), end, DAYS_PER_WEEK)?;
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

/// Each customer's purchases before the test cut-off, one a day.
async fn purchases(warehouse: &Warehouse, plan: &Plan) -> Result<HashMap<String, Vec<Transaction>>> {
    let session = dataset::session(warehouse, plan.snapshot, dataset::cut_offs(&[plan.test]), None).await?;
    let query = "SELECT customer_id, as_of, date_trunc('day', event_time) AS day, sum(amount) AS value \
        FROM features.known_orders WHERE is_purchase GROUP BY ALL ORDER BY customer_id, day";
    let rows: Rows = dataset::rows(&session, "features.known_orders", query).await?;
    let days = rows.required("day", rows.times("day")?, "time without NULL")?;
    let values = rows.required("value", rows.numbers("value")?, "number without NULL")?;
    let mut histories: HashMap<String, Vec<Transaction>> = HashMap::new();
    for (((customer, _), day), value) in rows.keys()?.into_iter().zip(days).zip(values) {
        histories.entry(customer).or_default().push(Transaction { day: (day / MICROS_PER_DAY) as i32, value });
    }
    Ok(histories)
}
