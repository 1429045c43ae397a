//! A model beside others on the same customers: each metric with its bootstrap interval, and of each difference
//! whether it is more than chance.

use crate::error::{Error, Result};
use crate::learning::Learning;
use crate::shown::Shown;
use crate::slices::Slice;
use analytics::Statistic;
use analytics::bootstrap::Bootstrap;
use analytics::metrics::{METRICS, Prepare, Prepared};
use sequences::TargetKind;
use serde::Serialize;
use std::borrow::Cow;

/// One evaluation of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    pub task: String,
    pub run_id: String,
    /// How it was judged, so that the numbers can be compared with others'.
    pub protocol: String,
    /// The test cut-off.
    pub as_of: String,
    /// Customers judged.
    pub examples: usize,
    pub rows: Vec<Row>,
    /// Tenths of the customers by our model's prediction, the highest first; empty where products are predicted.
    pub deciles: Vec<Decile>,
    /// What the lists of products show; absent where none are predicted.
    pub shown: Option<Shown>,
    /// Parts of the customers; empty unless asked for.
    pub slices: Vec<Slice>,
    /// How the training went; absent where its history is gone.
    pub learning: Option<Learning>,
}

/// One metric of one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    pub metric: String,
    pub model: String,
    pub higher_is_better: bool,
    pub value: Interval,
    /// Our model's value minus this one's, on the same resamples.
    pub difference: Option<Interval>,
    /// What the difference says; empty for our own rows.
    pub verdict: String,
}

/// An estimate with its 95 % percentile bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
}

impl From<analytics::bootstrap::Interval> for Interval {
    fn from(interval: analytics::bootstrap::Interval) -> Interval {
        let analytics::bootstrap::Interval { estimate, low, high } = interval;
        Interval { estimate, low, high }
    }
}

/// A tenth of the customers.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Decile {
    /// 1 has the highest predictions.
    pub decile: usize,
    pub customers: usize,
    pub mean_predicted: f64,
    pub mean_actual: f64,
    /// Mean actual value over that of all customers; none where theirs is not above 0.
    pub lift: Option<f64>,
    /// Share of the actual total in this and the higher deciles; none where the total is not above 0.
    pub gains: Option<f64>,
}

impl From<analytics::deciles::Decile> for Decile {
    fn from(decile: analytics::deciles::Decile) -> Decile {
        let analytics::deciles::Decile { decile, rows, mean_predicted, mean_actual, lift, gains } = decile;
        Decile { decile, customers: rows, mean_predicted, mean_actual, lift, gains }
    }
}

/// What a model is compared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Something to beat.
    Baseline,
    /// The best that any model could reach; to beat it beyond chance is a leak.
    Attainable,
}

/// A model's metrics on the judged customers.
pub(crate) struct Judged {
    pub(crate) model: String,
    pub(crate) metrics: Vec<Metric>,
    answers: Vec<Answers<'static>>,
}

pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) higher_is_better: bool,
    pub(crate) statistic: Prepared,
}

/// What a model says of each judged customer, with what then happened.
pub(crate) enum Answers<'a> {
    /// Did it happen, and how probable it was called.
    Labels(Cow<'a, [bool]>, Cow<'a, [f64]>),
    /// The same, and how probable it must be called for a customer to be approached.
    Decisions(Cow<'a, [bool]>, Cow<'a, [f64]>, f64),
    /// Actual and predicted value.
    Values(Cow<'a, [f64]>, Cow<'a, [f64]>),
    /// Actual and predicted count.
    Counts(Cow<'a, [f64]>, Cow<'a, [f64]>),
    /// Rank of what was bought, from 1.
    Ranks(Cow<'a, [u32]>),
    /// Actual and predicted days.
    Days(Cow<'a, [f64]>, Cow<'a, [f64]>),
}

impl<'a> Answers<'a> {
    /// Of amounts or, where the kind says so, of counts.
    pub(crate) fn numbers(
        kind: TargetKind,
        actual: impl Into<Cow<'a, [f64]>>,
        predicted: impl Into<Cow<'a, [f64]>>,
    ) -> Answers<'a> {
        match kind {
            TargetKind::Count => Answers::Counts(actual.into(), predicted.into()),
            _ => Answers::Values(actual.into(), predicted.into()),
        }
    }

    fn of(&self, rows: &[usize]) -> Answers<'static> {
        fn pick<T: Copy>(values: &[T], rows: &[usize]) -> Cow<'static, [T]> {
            rows.iter().map(|&row| values[row]).collect::<Vec<T>>().into()
        }
        match self {
            Answers::Labels(labels, scores) => Answers::Labels(pick(labels, rows), pick(scores, rows)),
            Answers::Decisions(labels, scores, from) => {
                Answers::Decisions(pick(labels, rows), pick(scores, rows), *from)
            }
            Answers::Values(actual, predicted) => Answers::Values(pick(actual, rows), pick(predicted, rows)),
            Answers::Counts(actual, predicted) => Answers::Counts(pick(actual, rows), pick(predicted, rows)),
            Answers::Ranks(ranks) => Answers::Ranks(pick(ranks, rows)),
            Answers::Days(actual, predicted) => Answers::Days(pick(actual, rows), pick(predicted, rows)),
        }
    }

    fn into_owned(self) -> Answers<'static> {
        fn own<T: Copy>(values: Cow<[T]>) -> Cow<'static, [T]> {
            values.into_owned().into()
        }
        match self {
            Answers::Labels(labels, scores) => Answers::Labels(own(labels), own(scores)),
            Answers::Decisions(labels, scores, from) => Answers::Decisions(own(labels), own(scores), from),
            Answers::Values(actual, predicted) => Answers::Values(own(actual), own(predicted)),
            Answers::Counts(actual, predicted) => Answers::Counts(own(actual), own(predicted)),
            Answers::Ranks(ranks) => Answers::Ranks(own(ranks)),
            Answers::Days(actual, predicted) => Answers::Days(own(actual), own(predicted)),
        }
    }
}

/// The metric that a run is known by, of each kind of task; days to the purchase where there are no products.
pub(crate) const MAIN_METRICS: [&str; 4] = ["auc", "spearman", "ndcg@10", "mae of days to purchase"];

const LABELS: [&str; 7] =
    ["auc", "average_precision", "log_loss", "brier", "calibration_error", "top_decile_lift", "top_decile_precision"];
const VALUES: [&str; 5] = ["spearman", "normalised_gini", "mae", "rmse", "total_error"];
const COUNTS: [&str; 7] = ["spearman", "pearson", "normalised_gini", "mae", "rmse", "total_error", "poisson_deviance"];
/// Length of the list of products that is judged.
pub(crate) const SHOWN: u32 = 10;
/// A probability of exactly 0 or 1 that fails once has an infinite log loss; nobody is that sure.
const SUREST: f64 = 1e-6;
/// Nor that a count is 0: expected to be that, or less as by a sum of trees, it has an infinite Poisson deviance if it is not.
const RAREST: f64 = 1e-6;

impl Judged {
    pub(crate) fn new<'a>(model: &str, answers: impl IntoIterator<Item = Answers<'a>>) -> Result<Judged> {
        let answers: Vec<Answers<'static>> = answers.into_iter().map(Answers::into_owned).collect();
        let metrics = answers.iter().flat_map(metrics).collect::<Result<Vec<_>>>()?;
        Ok(Judged { model: model.into(), metrics, answers })
    }

    pub(crate) fn metric(&self, name: &str) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == name)
    }

    /// The same model on some of its rows. A metric that has no value there is left out.
    pub(crate) fn of(&self, rows: &[usize]) -> Judged {
        let answers: Vec<Answers<'static>> = self.answers.iter().map(|answers| answers.of(rows)).collect();
        let metrics = answers.iter().flat_map(metrics).filter_map(Result::ok).collect();
        Judged { model: self.model.clone(), metrics, answers }
    }
}

fn metrics(answers: &Answers) -> Vec<Result<Metric>> {
    let (names, suffix): (&[&str], String) = match answers {
        Answers::Labels(..) => (&LABELS, "".into()),
        Answers::Decisions(.., from) => (&["precision", "recall", "f1"], format!(" at {from}")),
        Answers::Values(..) => (&VALUES, "".into()),
        Answers::Counts(..) => (&COUNTS, "".into()),
        Answers::Ranks(_) => (&["hit_rate", "mrr", "ndcg"], format!("@{SHOWN}")),
        Answers::Days(..) => (&["mae"], " of days to purchase".into()),
    };
    let prepare = |name: &&str| {
        let metric = METRICS.iter().find(|m| m.name == *name).ok_or(Error::NoMetric { name: name.to_string() })?;
        let statistic = match (metric.prepare, answers) {
            (Prepare::Labels(prepare), Answers::Labels(labels, scores)) => {
                let scores: Vec<f64> = scores.iter().map(|p| p.clamp(SUREST, 1.0 - SUREST)).collect();
                prepare(labels, &scores)
            }
            (Prepare::Decisions(prepare), Answers::Decisions(labels, scores, from)) => prepare(labels, scores, *from),
            (Prepare::Values(prepare), Answers::Values(actual, predicted) | Answers::Days(actual, predicted)) => {
                prepare(actual, predicted)
            }
            (Prepare::Values(prepare), Answers::Counts(actual, predicted)) => {
                prepare(actual, &predicted.iter().map(|count| count.max(RAREST)).collect::<Vec<f64>>())
            }
            (Prepare::Ranks(prepare), Answers::Ranks(ranks)) => prepare(ranks, SHOWN),
            _ => return Err(Error::NoMetric { name: name.to_string() }),
        };
        Ok(Metric { name: format!("{name}{suffix}"), higher_is_better: metric.higher_is_better, statistic: statistic? })
    };
    // A model that calls nobody so probable has no precision there.
    let is_known = |metric: &Result<Metric>| match (answers, metric) {
        (Answers::Decisions(..), Ok(metric)) => metric.statistic.value().is_some(),
        _ => true,
    };
    names.iter().map(prepare).filter(is_known).collect()
}

/// Every metric of `ours` beside those of the others that have it.
pub(crate) fn compare(ours: &Judged, others: &[(Role, Judged)]) -> Result<Vec<Row>> {
    let bootstrap = Bootstrap::default();
    let mut rows = Vec::new();
    for metric in &ours.metrics {
        let unjudged = |judged: &Judged| {
            let (metric, model) = (metric.name.clone(), judged.model.clone());
            move |source| Error::NotJudged { metric, model, source }
        };
        rows.push(Row {
            metric: metric.name.clone(),
            model: ours.model.clone(),
            higher_is_better: metric.higher_is_better,
            value: bootstrap.interval(&metric.statistic).map_err(unjudged(ours))?.into(),
            difference: None,
            verdict: String::new(),
        });
        for (role, other) in others {
            let Some(theirs) = other.metric(&metric.name) else { continue };
            let difference = bootstrap.difference(&metric.statistic, &theirs.statistic);
            let difference = difference.map_err(unjudged(other))?.into();
            rows.push(Row {
                metric: metric.name.clone(),
                model: other.model.clone(),
                higher_is_better: metric.higher_is_better,
                value: bootstrap.interval(&theirs.statistic).map_err(unjudged(other))?.into(),
                difference: Some(difference),
                verdict: verdict(*role, metric.higher_is_better, difference).into(),
            });
        }
    }
    Ok(rows)
}

/// In how many rows ours is better than a baseline beyond chance, and in how many worse.
pub(crate) fn verdict_counts<'a>(rows: impl Iterator<Item = &'a Row>) -> (usize, usize) {
    rows.fold((0, 0), |(better, worse), row| {
        let is = |word: &str| usize::from(row.verdict == word);
        (better + is(BETTER), worse + is(WORSE))
    })
}

const BETTER: &str = "ours is better";
const WORSE: &str = "ours is worse";

pub(crate) fn verdict(role: Role, higher_is_better: bool, difference: Interval) -> &'static str {
    let (is_better, is_worse) = match higher_is_better {
        true => (difference.low > 0.0, difference.high < 0.0),
        false => (difference.high < 0.0, difference.low > 0.0),
    };
    match (role, is_better, is_worse) {
        (Role::Baseline, true, _) => BETTER,
        (Role::Baseline, _, true) => WORSE,
        (Role::Attainable, true, _) => "ours is above what is attainable: look for a leak",
        (Role::Attainable, _, true) => "room left",
        (Role::Baseline, ..) => "not significant",
        (Role::Attainable, ..) => "reached",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(model: &str, errors: Vec<f64>) -> Judged {
        Judged::new(model, [Answers::Days(vec![0.0; errors.len()].into(), errors.into())]).unwrap()
    }

    #[test]
    fn a_win_within_chance_is_called_not_significant() {
        let alternating = |a: f64, b: f64| (0..200).map(|i| if i % 2 == 0 { a } else { b }).collect::<Vec<_>>();
        let ours = judged("ours", alternating(1.0, 2.0));
        let verdict =
            |other: Vec<f64>| compare(&ours, &[(Role::Baseline, judged("b", other))]).unwrap()[1].verdict.clone();
        assert_eq!(verdict(alternating(2.0, 3.0)), "ours is better");
        assert_eq!(verdict(alternating(0.5, 1.5)), "ours is worse");
        // Better on one half, worse on the other, by nearly the same.
        assert_eq!(verdict(alternating(2.0, 1.01)), "not significant");
    }
}
