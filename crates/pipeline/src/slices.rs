//! Parts of the judged customers: new and known, by earlier spend, by channel of the last order. A model that wins on all
//! customers may still lose where it matters, among the best or the newest.

use crate::dataset;
use crate::error::{Error, Result};
use crate::evaluation::{Interval, Judged, Role, verdict};
use crate::runs::Plan;
use analytics::Statistic;
use analytics::bootstrap::Bootstrap;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use warehouse::Warehouse;

/// One metric on a part of the customers.
#[derive(Clone, Debug, Serialize)]
pub struct Slice {
    /// `tenure: new`, `spend: high`, `channel: web` …
    pub slice: String,
    /// Customers in it that the metric speaks of.
    pub customers: usize,
    pub metric: String,
    pub higher_is_better: bool,
    pub value: Interval,
    /// The best baseline of this metric on this part; absent where there is none.
    pub baseline: Option<Beside>,
}

/// A baseline beside our model.
#[derive(Clone, Debug, Serialize)]
pub struct Beside {
    pub model: String,
    pub value: Interval,
    /// Our model's value minus this one's, on the same resamples.
    pub difference: Interval,
    pub verdict: String,
}

/// Whose first purchase lies so many days back at most is new.
const NEW_DAYS: f64 = 90.0;
/// A part with fewer customers says too little of each to be told apart from chance.
const FEWEST: usize = 30;
const TIERS: [&str; 3] = ["low", "middle", "high"];

/// What the customers of a cut-off are divided by: of each the name of its part, in the order of [`DIMENSIONS`].
pub(crate) struct Traits(HashMap<String, [String; 3]>);

const DIMENSIONS: [&str; 3] = ["tenure", "spend", "channel"];

impl Traits {
    /// At the run's test cut-off, as known then.
    pub(crate) async fn read(warehouse: &Warehouse, plan: &Plan) -> Result<Traits> {
        let session = dataset::session(warehouse, plan.snapshot, dataset::cut_offs(&[plan.test]), None).await?;
        let query = "SELECT t.customer_id, t.as_of, t.days_since_first_order, v.total_amount, c.last_channel \
            FROM features.tenure t \
            JOIN features.value v ON v.customer_id = t.customer_id AND v.as_of = t.as_of \
            JOIN features.channel c ON c.customer_id = t.customer_id AND c.as_of = t.as_of";
        let rows = dataset::rows(&session, "features", query).await?;
        let tenure = rows.numbers("days_since_first_order")?.into_iter().map(|days| match days {
            Some(days) if days <= NEW_DAYS => "new",
            Some(_) => "known",
            None => "no purchase",
        });
        let spent: Vec<f64> = rows.numbers("total_amount")?.into_iter().map(|spent| spent.unwrap_or(0.0)).collect();
        let tiers = tiers(&spent).into_iter();
        let channels = rows.texts("last_channel")?.into_iter().map(|channel| channel.unwrap_or_else(|| "none".into()));
        let traits =
            tenure.zip(tiers).zip(channels).map(|((tenure, tier), channel)| [tenure.into(), tier.into(), channel]);
        Ok(Traits(rows.keys()?.into_iter().map(|(customer, _)| customer).zip(traits).collect()))
    }

    /// Our model beside the best baseline on every part of the judged customers.
    pub(crate) fn compare(
        &self,
        keys: &[(String, i64)],
        ours: &Judged,
        others: &[(Role, Judged)],
    ) -> Result<Vec<Slice>> {
        let mut slices = Vec::new();
        for (dimension, name) in DIMENSIONS.iter().enumerate() {
            let part = |(customer, _): &(String, i64)| self.0.get(customer).map(|traits| traits[dimension].as_str());
            let parts: Vec<Option<&str>> = keys.iter().map(part).collect();
            for part in ordered(&parts) {
                let rows: Vec<usize> = (0..keys.len()).filter(|&row| parts[row] == Some(part)).collect();
                if rows.len() >= FEWEST {
                    let baselines = others.iter().filter(|(role, _)| *role == Role::Baseline);
                    let baselines: Vec<Judged> = baselines.map(|(_, judged)| judged.of(&rows)).collect();
                    slices.extend(on(&format!("{name}: {part}"), rows.len(), &ours.of(&rows), &baselines)?);
                }
            }
        }
        Ok(slices)
    }
}

/// The parts that occur, tiers from low to high, all others by name.
fn ordered<'a>(parts: &[Option<&'a str>]) -> Vec<&'a str> {
    let mut ordered: Vec<&str> = parts.iter().flatten().copied().collect::<BTreeSet<_>>().into_iter().collect();
    ordered.sort_by_key(|part| TIERS.iter().position(|tier| tier == part));
    ordered
}

/// Thirds by rank, equal amounts in the lowest third that one of them reaches.
fn tiers(spent: &[f64]) -> Vec<&'static str> {
    let mut sorted = spent.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let below = |amount: &f64| sorted.partition_point(|other| other < amount);
    spent.iter().map(|amount| TIERS[below(amount) * TIERS.len() / spent.len()]).collect()
}

fn on(slice: &str, customers: usize, ours: &Judged, baselines: &[Judged]) -> Result<Vec<Slice>> {
    let bootstrap = Bootstrap::default();
    let mut slices = Vec::new();
    for metric in &ours.metrics {
        let sign = if metric.higher_is_better { 1.0 } else { -1.0 };
        let valued = baselines.iter().filter_map(|judged| {
            let theirs = judged.metric(&metric.name)?;
            Some((judged, theirs, theirs.statistic.value()?))
        });
        let best = valued.max_by(|a, b| (sign * a.2).total_cmp(&(sign * b.2)));
        let Some(value) = defined(bootstrap.interval(&metric.statistic))? else { continue };
        let baseline = match best {
            None => None,
            Some((judged, theirs, _)) => {
                let difference = defined(bootstrap.difference(&metric.statistic, &theirs.statistic))?;
                let of_theirs = defined(bootstrap.interval(&theirs.statistic))?;
                difference.zip(of_theirs).map(|(difference, value)| Beside {
                    model: judged.model.clone(),
                    value,
                    difference,
                    verdict: verdict(Role::Baseline, metric.higher_is_better, difference).into(),
                })
            }
        };
        let (slice, metric, higher_is_better) = (slice.to_owned(), metric.name.clone(), metric.higher_is_better);
        slices.push(Slice { slice, customers, metric, higher_is_better, value, baseline });
    }
    Ok(slices)
}

/// `None` where the statistic has no value on these customers, or hardly ever has one on resamples of them.
fn defined(interval: analytics::Result<analytics::bootstrap::Interval>) -> Result<Option<Interval>> {
    match interval {
        Err(analytics::Error::Undefined { .. } | analytics::Error::FewReplicates { .. }) => Ok(None),
        interval => Ok(Some(interval.map_err(Error::Analytics)?.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::Answers;

    fn judged(model: &str, errors: &[f64]) -> Judged {
        Judged::new(model, [Answers::Days(vec![0.0; errors.len()].into(), errors.into())]).unwrap()
    }

    /// Better than either baseline among the new, worse than the second among the known: a sum over both hides that.
    #[test]
    fn each_part_has_its_own_best_baseline_and_verdict() {
        let keys: Vec<(String, i64)> = (0..120).map(|i| (i.to_string(), 0)).collect();
        let name = |i: usize| match i {
            0..60 => "new",
            60..110 => "known",
            _ => "rare",
        };
        let traits = |i: usize| (i.to_string(), [name(i).into(), "low".into(), "web".into()]);
        let traits = Traits((0..120).map(traits).collect());
        let errors = |new: f64, known: f64| -> Vec<f64> {
            (0..120).map(|i| if i < 60 { new } else { known } + 0.01 * f64::from(i % 7)).collect()
        };
        let ours = judged("ours", &errors(1.0, 3.0));
        let others = [
            (Role::Baseline, judged("first", &errors(2.0, 4.0))),
            (Role::Baseline, judged("second", &errors(5.0, 2.0))),
            (Role::Attainable, judged("truth", &errors(0.0, 0.0))),
        ];
        let slices = traits.compare(&keys, &ours, &others).unwrap();
        let told: Vec<(&str, usize, &str, &str)> = slices
            .iter()
            .map(|s| (s.slice.as_str(), s.customers, s.baseline.as_ref().unwrap()))
            .map(|(slice, customers, b)| (slice, customers, b.model.as_str(), b.verdict.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("tenure: known", 50, "second", "ours is worse"),
                ("tenure: new", 60, "first", "ours is better"),
                ("spend: low", 120, "first", "ours is better"),
                ("channel: web", 120, "first", "ours is better"),
            ]
        );
    }

    /// Nobody of a part left: what needs both classes has no value there, the rest has.
    #[test]
    fn a_metric_without_a_value_is_left_out() {
        let labels: Vec<bool> = (0..40).map(|i| i >= 35).collect();
        let scores: Vec<f64> = (0..40).map(|i| f64::from(i) / 40.0).collect();
        let ours = Judged::new("ours", [Answers::Labels(labels.into(), scores.into())]).unwrap();
        let rows: Vec<usize> = (0..35).collect();
        let slices = on("tenure: new", rows.len(), &ours.of(&rows), &[]).unwrap();
        let metrics: Vec<&str> = slices.iter().map(|s| s.metric.as_str()).collect();
        assert_eq!(metrics, ["log_loss", "brier", "calibration_error", "top_decile_precision"]);
        assert!(slices.iter().all(|s| s.baseline.is_none()));
    }

    #[test]
    fn thirds_by_spend_keep_equal_amounts_together() {
        assert_eq!(tiers(&[5.0, 1.0, 3.0]), ["high", "low", "middle"]);
        assert_eq!(tiers(&[0.0, 0.0, 0.0, 0.0, 9.0, 8.0]), ["low", "low", "low", "low", "high", "high"]);
        assert!(tiers(&[]).is_empty());
    }
}
