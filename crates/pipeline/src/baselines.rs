//! What a model has to beat, each fitted only on what was known before its cut-off.

use crate::columns::Rows;
use crate::dataset::{self, Labels, Outcome};
use crate::error::Result;
use crate::runs::Plan;
use crate::time::MICROS_PER_DAY;
use analytics::btyd::{Forecast, GammaGamma, PurchaseModel, Summary, Transaction, summaries};
use analytics::logistic::Logistic;
use analytics::metrics::NOT_RANKED;
use sequences::{Field, PURCHASE, Sequences};
use std::collections::HashMap;
use warehouse::Warehouse;

/// Ridge of the logistic regression on standardised inputs; only keeps separable data finite.
const RIDGE: f64 = 1e-3;
/// BTYD models are fitted in weeks, as published.
const DAYS_PER_WEEK: f64 = 7.0;
/// Popularity counts the purchases of this long before the cut-off: tastes change.
const POPULAR_DAYS: i64 = 90;
/// What the logistic regression reads: recency, frequency, monetary value, and how long the customer is known.
const RFM: [&str; 4] = ["days_since_order", "count_orders", "total_amount", "days_since_first_order"];

/// Churn probabilities of a logistic regression on RFM, fitted on the run's training cut-offs.
pub(crate) async fn logistic(warehouse: &Warehouse, plan: &Plan, test: &Labels) -> Result<Vec<f64>> {
    let labels = dataset::labels(warehouse, plan.snapshot, &plan.task, &plan.train).await?;
    let churned: Vec<bool> = labels.outcomes.iter().map(|o| *o == Outcome::Churned(true)).collect();
    let inputs = rfm(warehouse, plan, &plan.train, &labels).await?;
    let model = Logistic::fit(&inputs, RFM.len(), &churned, RIDGE)?;
    Ok(model.predict(&rfm(warehouse, plan, &[plan.test], test).await?)?)
}

/// log(1 + x) of [`RFM`] for each label's key, row by row.
async fn rfm(warehouse: &Warehouse, plan: &Plan, cutoffs: &[i64], labels: &Labels) -> Result<Vec<f64>> {
    let session = dataset::session(warehouse, plan.snapshot, dataset::cut_offs(cutoffs), None).await?;
    // Not features.customer, which computes every family.
    let query = format!(
        "SELECT r.customer_id, r.as_of, {} FROM features.recency r \
        JOIN features.frequency f ON f.customer_id = r.customer_id AND f.as_of = r.as_of \
        JOIN features.value v ON v.customer_id = r.customer_id AND v.as_of = r.as_of \
        JOIN features.tenure t ON t.customer_id = r.customer_id AND t.as_of = r.as_of",
        RFM.join(", ")
    );
    let rows = dataset::rows(&session, "features", &query).await?;
    let columns = RFM.iter().map(|name| rows.numbers(name)).collect::<Result<Vec<_>>>()?;
    let place: HashMap<(String, i64), usize> = rows.keys()?.into_iter().zip(0..).collect();
    let input = |row: usize, column: &Vec<Option<f64>>| column[row].unwrap_or(0.0).max(0.0).ln_1p();
    let of = |key| place.get(key).copied().unwrap_or_default();
    Ok(labels.keys.iter().flat_map(|key| columns.iter().map(move |column| input(of(key), column))).collect())
}

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

/// Ranks of the products that were bought next, by two rules that need no model.
pub(crate) struct ProductRules {
    /// The most bought products first.
    pub(crate) popularity: Vec<u32>,
    /// The customer's last product first, then the most bought.
    pub(crate) last_item: Vec<u32>,
}

/// `keys` and `bought` are the judged customers and what each bought next.
pub(crate) fn product_rules(sequences: &Sequences, keys: &[(String, i64)], bought: &[String]) -> ProductRules {
    let as_of = keys.first().map_or(i64::MAX, |(_, as_of)| *as_of);
    let places = popularity(sequences, as_of);
    let purchase = sequences.code_of(Field::Kind, PURCHASE);
    let mut rules = ProductRules { popularity: Vec::new(), last_item: Vec::new() };
    for ((customer, as_of), product) in keys.iter().zip(bought) {
        let product = sequences.code_of(Field::Product, product);
        let rank = |code: u32| places.get(&code).map_or(NOT_RANKED, |place| place + 1);
        let last = sequences.customer(customer).and_then(|number| {
            let bought = |&event: &usize| sequences.code(event, Field::Kind) == purchase;
            sequences.visible(number, *as_of).rev().find(bought).map(|event| sequences.code(event, Field::Product))
        });
        rules.popularity.push(rank(product));
        rules.last_item.push(match last {
            Some(last) if last == product => 1,
            // The last product moved to the front; those that were before it move one down.
            Some(last) if rank(product) < rank(last) => rank(product).saturating_add(1),
            _ => rank(product),
        });
    }
    rules
}

/// The place of each product by its purchases in the months before the cut-off; equal ones by name.
fn popularity(sequences: &Sequences, as_of: i64) -> HashMap<u32, u32> {
    let purchase = sequences.code_of(Field::Kind, PURCHASE);
    let from = as_of - POPULAR_DAYS * MICROS_PER_DAY;
    let mut counts: HashMap<u32, u32> = HashMap::new();
    for event in 0..sequences.event_count() {
        let counts_here = sequences.code(event, Field::Kind) == purchase && sequences.event_time(event) >= from;
        if counts_here && sequences.is_visible(event, as_of) {
            *counts.entry(sequences.code(event, Field::Product)).or_default() += 1;
        }
    }
    let name = |code: u32| sequences.text(Field::Product, code).unwrap_or_default();
    let mut codes: Vec<u32> = counts.keys().copied().filter(|&code| code != 0).collect();
    codes.sort_by(|a, b| counts[b].cmp(&counts[a]).then_with(|| name(*a).cmp(name(*b))));
    codes.into_iter().zip(0..).collect()
}
