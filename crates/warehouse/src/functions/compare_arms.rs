//! `compare_arms((SELECT arm, spent FROM …), control => 'control')`: what each arm of an experiment changes. A row is one
//! customer. Yes-or-no values are compared as rates, numbers as means. A third column, known before the experiment, takes
//! away the noise that it explains (CUPED); yes and no then count as 1 and 0. With `ratio => true` the third column is what the
//! value is divided by: an arm's mean is the ratio of both sums, as in revenue per order, with a variance by the delta method.
//! Where there is nothing to test an arm by (a lone customer, no variance, a relative effect over a mean of 0) its effect is
//! NULL, and the other arms have theirs. `risk` is what is lost on average by whoever takes the arm in case it is the worse one,
//! `risk_of_control` by whoever does not; on the relative scale, as shares of the control's mean.

use std::ops::Range;
use std::sync::Arc;

use analytics::experiments::{
    Bayes, Compared, Comparison, Correction, Method, Pair, Rate, Sample, Scale, Verdict, bayes_means, bayes_rates,
    compare_means, compare_rates, cuped,
};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::columns::{Measure, all_present, and_more, at, engine, firsts, measured, names, offsets, real, reals};
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 2] = ["an arm", "the value of one of its customers"];
const THIRD: &str = "and maybe a value of before the experiment, or with ratio => true what the value is divided by";
/// Arms that are listed where the control is not among them.
const FEW: usize = 10;

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CompareArms {
    /// The arm that the others are compared with.
    control: Value,
    /// Whether effects are differences or shares of the control's mean.
    #[serde(with = "ScaleName")]
    scale: Scale,
    /// Coverage of the intervals.
    level: f64,
    /// `sequential` intervals hold whenever one looks, `fixed` ones once.
    method: MethodName,
    /// Customers at which a sequential interval is to be tightest.
    tuning: Option<f64>,
    /// Of the p values for several arms.
    #[serde(with = "CorrectionName")]
    correction: Correction,
    /// Whether the third column divides the value.
    ratio: bool,
}

#[derive(Deserialize, Serialize)]
#[serde(remote = "Scale", rename_all = "snake_case")]
enum ScaleName {
    Absolute,
    Relative,
}

#[derive(Deserialize, Serialize)]
#[serde(remote = "Correction", rename_all = "snake_case")]
pub(super) enum CorrectionName {
    None,
    Bonferroni,
    Holm,
    BenjaminiHochberg,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum MethodName {
    Fixed,
    Sequential,
}

impl Default for CompareArms {
    fn default() -> Self {
        let Comparison { control: _, scale, level, method, correction } = Comparison::default();
        let (method, tuning) = match method {
            Method::Fixed => (MethodName::Fixed, None),
            Method::Sequential { tuning } => (MethodName::Sequential, Some(tuning)),
        };
        CompareArms { control: "control".into(), scale, level, method, tuning, correction, ratio: false }
    }
}

/// What the control has none of, nor an arm that can't be tested.
const MEASURES: [Measure<Compared>; 5] = [
    ("effect", |compared| compared.effect.estimate),
    ("low", |compared| compared.effect.low),
    ("high", |compared| compared.effect.high),
    ("p_value", |compared| compared.effect.p_value),
    ("adjusted_p_value", |compared| compared.adjusted_p),
];

/// What a Bayesian says of an arm, with flat priors.
const VERDICTS: [Measure<Verdict>; 3] = [
    ("chance_to_win", |verdict| verdict.chance_to_win),
    ("risk", |verdict| verdict.loss_of_treatment),
    ("risk_of_control", |verdict| verdict.loss_of_control),
];

impl Algorithm for CompareArms {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        self.method()?;
        let ([arm, value], third) = and_more(columns, COLUMNS, 0..=1, THIRD)?;
        if self.ratio && third.is_empty() {
            return Err("ratio => true needs a third column: what the value is divided by".into());
        }
        let metric = match value.data_type() {
            DataType::Boolean if third.is_empty() => DataType::Boolean,
            _ => real(&value)?,
        };
        let mut input = vec![arm.data_type().clone(), metric];
        for third in third {
            input.push(real(&third)?);
        }
        let mut output = vec![arm];
        output.push(Arc::new(Field::new("customers", DataType::Int64, false)));
        output.push(Arc::new(Field::new("mean", DataType::Float64, true)));
        let measures = names(MEASURES).into_iter().chain(names(VERDICTS));
        output.extend(measures.map(|name| Arc::new(Field::new(name, DataType::Float64, true))));
        // All columns, because sums depend on the order.
        Ok(Shape { sorted_by: input.len(), input, output: Arc::new(Schema::new(output)) })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        all_present(rows, 0)?;
        let offsets = offsets(rows.column(0))?;
        let arms = firsts(rows.column(0), &offsets)?;
        let Self { scale, level, correction, .. } = *self;
        let comparison =
            Comparison { control: self.control_among(&arms)?, scale, level, method: self.method()?, correction };
        let groups = Groups::of(rows, &offsets, comparison.control, self.ratio)?;
        let compared = groups.compare(&comparison).map_err(|e| e.to_string())?;
        let verdict = |(arm, compared): (usize, &Option<Compared>)| match compared {
            Some(_) => groups.verdict(arm, &comparison),
            None => Ok(None),
        };
        let verdicts: Vec<Option<Verdict>> =
            compared.iter().enumerate().map(verdict).collect::<analytics::Result<_>>().map_err(|e| e.to_string())?;
        let sizes = offsets.windows(2).map(|ends| (ends[1] - ends[0]) as i64);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::clone(&arms),
            Arc::new(Int64Array::from_iter_values(sizes)),
            Arc::new((0..arms.len()).map(|arm| groups.mean(arm)).collect::<Float64Array>()),
        ];
        columns.extend(measured(MEASURES, compared.iter().map(Option::as_ref)));
        columns.extend(measured(VERDICTS, verdicts.iter().map(Option::as_ref)));
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}

impl CompareArms {
    fn method(&self) -> Result<Method, Problem> {
        match (self.method, self.tuning) {
            (MethodName::Fixed, None) => Ok(Method::Fixed),
            (MethodName::Sequential, Some(tuning)) => Ok(Method::Sequential { tuning }),
            (MethodName::Fixed, Some(_)) => Err("tuning is for method => 'sequential'".into()),
            (MethodName::Sequential, None) => Err(
                "method => 'sequential' needs tuning => n, the customers of two arms at which intervals are to be tightest"
                    .into(),
            ),
        }
    }

    /// Which arm is the control.
    fn control_among(&self, arms: &ArrayRef) -> Result<usize, Problem> {
        let control = self.control.as_str().map_or_else(|| self.control.to_string(), str::to_owned);
        let names: Result<Vec<String>, _> = (0..arms.len()).map(|arm| array_value_to_string(arms, arm)).collect();
        let names = names.map_err(engine)?;
        names.iter().position(|name| *name == control).ok_or_else(|| {
            let more = if names.len() > FEW { ", …" } else { "" };
            format!("control is {control}; the arms are {}{more}", names[..names.len().min(FEW)].join(", "))
        })
    }
}

/// The customers of each arm, in the numbers that tests need.
enum Groups {
    Rates(Vec<Rate>),
    Means(Vec<Mean>),
}

/// A lone customer has no sample, and with a value of before no mean that is comparable.
struct Mean {
    mean: Option<f64>,
    sample: Option<Sample>,
}

impl Groups {
    /// Of rows that come arm by arm. A control of one customer is an error.
    fn of(rows: &RecordBatch, offsets: &[usize], control: usize, is_ratio: bool) -> Result<Groups, Problem> {
        let arms = || offsets.windows(2).map(|ends| ends[0]..ends[1]);
        let told = |start: usize, e: analytics::Error| format!("{}: {e}", at(rows, start));
        if let Some(values) = rows.column(1).as_boolean_opt() {
            all_present(rows, 1)?;
            let rate = |arm: Range<usize>| {
                let successes = values.slice(arm.start, arm.len()).true_count();
                Rate::new(successes as u64, arm.len() as u64).map_err(|e| told(arm.start, e))
            };
            return Ok(Groups::Rates(arms().map(rate).collect::<Result<_, _>>()?));
        }
        let values = reals(rows, 1)?;
        let is_tested = |(number, arm): &(usize, Range<usize>)| *number == control || arm.len() > 1;
        if rows.num_columns() == COLUMNS.len() {
            let mean = |arm: (usize, Range<usize>)| {
                let range = arm.1.clone();
                let sample =
                    is_tested(&arm).then(|| Sample::of(&values[range.clone()]).map_err(|e| told(range.start, e)));
                let sample = sample.transpose()?;
                Ok(Mean { mean: Some(sample.map_or(values[range.start], |sample| sample.mean)), sample })
            };
            return Ok(Groups::Means(arms().enumerate().map(mean).collect::<Result<_, Problem>>()?));
        }
        let third = reals(rows, 2)?;
        let pair = |(_, arm): (usize, Range<usize>)| {
            let pair = Pair::of(&values[arm.clone()], &third[arm.clone()]).map_err(|e| told(arm.start, e))?;
            let ratio = if is_ratio { Some(pair.ratio().map_err(|e| told(arm.start, e))?) } else { None };
            Ok((pair, ratio))
        };
        let pairs: Vec<(Pair, Option<Sample>)> =
            arms().enumerate().filter(is_tested).map(pair).collect::<Result<_, Problem>>()?;
        let (pairs, ratios): (Vec<Pair>, Vec<Option<Sample>>) = pairs.into_iter().unzip();
        let samples = match ratios.into_iter().collect::<Option<Vec<Sample>>>() {
            Some(ratios) => ratios,
            None => cuped(&pairs).map_err(|e| e.to_string())?.groups,
        };
        let mut samples = samples.into_iter();
        let mean = |arm| {
            let sample = if is_tested(&arm) { samples.next() } else { None };
            Mean { mean: sample.map(|sample| sample.mean), sample }
        };
        Ok(Groups::Means(arms().enumerate().map(mean).collect()))
    }

    fn mean(&self, arm: usize) -> Option<f64> {
        match self {
            Groups::Rates(rates) => Some(rates[arm].successes as f64 / rates[arm].trials as f64),
            Groups::Means(means) => means[arm].mean,
        }
    }

    /// Arm by arm; none for the control and where there is nothing to test by.
    fn compare(&self, comparison: &Comparison) -> analytics::Result<Vec<Option<Compared>>> {
        match self {
            Groups::Rates(rates) => {
                let can_vary = |rate: &Rate| comparison.method == Method::Fixed || rate.trials > 1;
                let rates: Vec<_> = rates.iter().map(|rate| Some(*rate).filter(can_vary)).collect();
                compare_testable(&rates, comparison, compare_rates)
            }
            Groups::Means(means) => {
                let samples: Vec<_> = means.iter().map(|mean| mean.sample).collect();
                compare_testable(&samples, comparison, compare_means)
            }
        }
    }

    /// None for a lone customer.
    fn verdict(&self, arm: usize, comparison: &Comparison) -> analytics::Result<Option<Verdict>> {
        let Comparison { control, scale, level, .. } = *comparison;
        let bayes = Bayes { scale, level, ..Bayes::default() };
        match self {
            Groups::Rates(rates) => bayes_rates(rates[control], rates[arm], &bayes).map(Some),
            Groups::Means(means) => match (means[control].sample, means[arm].sample) {
                (Some(control), Some(arm)) => bayes_means(&control, &arm, &bayes).map(Some),
                _ => Ok(None),
            },
        }
    }
}

/// One comparison, with one correction, of the groups that are there and whose test is defined.
fn compare_testable<G: Copy>(
    groups: &[Option<G>],
    comparison: &Comparison,
    compare: impl Fn(&[G], &Comparison) -> analytics::Result<Vec<Compared>>,
) -> analytics::Result<Vec<Option<Compared>>> {
    let mut all = vec![None; groups.len()];
    let Some(control) = groups[comparison.control] else { return Ok(all) };
    let (mut arms, mut tested) = (Vec::new(), vec![control]);
    let first = Comparison { control: 0, ..*comparison };
    for (arm, group) in groups.iter().enumerate().filter(|(arm, _)| *arm != comparison.control) {
        let Some(group) = *group else { continue };
        match compare(&[control, group], &first) {
            Err(analytics::Error::Undefined { .. }) => continue,
            other => other?,
        };
        arms.push(arm);
        tested.push(group);
    }
    if tested.len() > 1 || groups.len() == 1 {
        for (arm, compared) in arms.into_iter().zip(compare(&tested, &first)?) {
            all[arm] = Some(compared);
        }
    }
    Ok(all)
}
