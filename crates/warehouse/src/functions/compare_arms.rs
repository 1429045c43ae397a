//! `compare_arms((SELECT arm, spent FROM …), control => 'control')`: what each arm of an experiment changes. A row is one
//! customer. Yes-or-no values are compared as rates, numbers as means. A third column, known before the experiment, takes
//! away the noise that it explains (CUPED); yes and no then count as 1 and 0.

use std::sync::Arc;

use analytics::experiments::{
    Bayes, Compared, Comparison, Correction, Method, Pair, Rate, Sample, Scale, bayes_means, bayes_rates,
    compare_means, compare_rates, cuped,
};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::array_value_to_string;
use serde::Deserialize;
use serde_json::Value;

use super::columns::{all_present, and_more, at, engine, firsts, offsets, real, reals};
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 2] = ["an arm", "the value of one of its customers"];
const COVARIATE: &str = "and maybe a value of before the experiment";
/// Arms that are listed where the control is not among them.
const FEW: usize = 10;

/// Settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CompareArms {
    /// The arm that the others are compared with.
    control: Value,
    #[serde(with = "ScaleName")]
    scale: Scale,
    level: f64,
    method: MethodName,
    /// Customers at which a sequential interval is to be tightest.
    tuning: Option<f64>,
    #[serde(with = "CorrectionName")]
    correction: Correction,
}

#[derive(Deserialize)]
#[serde(remote = "Scale", rename_all = "snake_case")]
enum ScaleName {
    Absolute,
    Relative,
}

#[derive(Deserialize)]
#[serde(remote = "Correction", rename_all = "snake_case")]
enum CorrectionName {
    None,
    Bonferroni,
    Holm,
    BenjaminiHochberg,
}

#[derive(Debug, Clone, Copy, Deserialize)]
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
        CompareArms { control: "control".into(), scale, level, method, tuning, correction }
    }
}

/// A column of the result, and how it is told.
type Measure = (&'static str, fn(&Compared) -> f64);

/// What the control has none of.
const MEASURES: [Measure; 5] = [
    ("effect", |compared| compared.effect.estimate),
    ("low", |compared| compared.effect.low),
    ("high", |compared| compared.effect.high),
    ("p_value", |compared| compared.effect.p_value),
    ("adjusted_p_value", |compared| compared.adjusted_p),
];

impl Algorithm for CompareArms {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        self.method()?;
        let ([arm, value], covariate) = and_more(columns, COLUMNS, 0..=1, COVARIATE)?;
        let metric = match value.data_type() {
            DataType::Boolean if covariate.is_empty() => DataType::Boolean,
            _ => real(&value)?,
        };
        let mut input = vec![arm.data_type().clone(), metric];
        for covariate in covariate {
            input.push(real(&covariate)?);
        }
        let mut output = vec![arm];
        output.push(Arc::new(Field::new("customers", DataType::Int64, false)));
        output.push(Arc::new(Field::new("mean", DataType::Float64, false)));
        let measures = MEASURES.map(|(name, _)| name).into_iter().chain(["chance_to_win"]);
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
        let groups = Groups::of(rows, &offsets)?;
        let compared = groups.compare(&comparison).map_err(|e| e.to_string())?;
        let of_arm = |arm: usize| compared.iter().find(|compared| compared.group == arm);
        let chances: Vec<Option<f64>> = (0..arms.len())
            .map(|arm| of_arm(arm).map(|_| groups.chance_to_win(arm, &comparison)).transpose())
            .collect::<analytics::Result<_>>()
            .map_err(|e| e.to_string())?;
        let sizes = offsets.windows(2).map(|ends| (ends[1] - ends[0]) as i64);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::clone(&arms),
            Arc::new(Int64Array::from_iter_values(sizes)),
            Arc::new(Float64Array::from_iter_values((0..arms.len()).map(|arm| groups.mean(arm)))),
        ];
        columns.extend(MEASURES.map(|(_, measure)| -> ArrayRef {
            Arc::new((0..arms.len()).map(|arm| of_arm(arm).map(measure)).collect::<Float64Array>())
        }));
        columns.push(Arc::new(Float64Array::from(chances)));
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
    Means(Vec<Sample>),
}

impl Groups {
    /// Of rows that come arm by arm.
    fn of(rows: &RecordBatch, offsets: &[usize]) -> Result<Groups, Problem> {
        fn each<G>(
            rows: &RecordBatch,
            offsets: &[usize],
            group: impl Fn(usize, usize) -> analytics::Result<G>,
        ) -> Result<Vec<G>, Problem> {
            let one = |ends: &[usize]| group(ends[0], ends[1]).map_err(|e| format!("{}: {e}", at(rows, ends[0])));
            offsets.windows(2).map(one).collect()
        }
        if let Some(values) = rows.column(1).as_boolean_opt() {
            all_present(rows, 1)?;
            let rate = |start, end: usize| {
                Rate::new(values.slice(start, end - start).true_count() as u64, (end - start) as u64)
            };
            return Ok(Groups::Rates(each(rows, offsets, rate)?));
        }
        let values = reals(rows, 1)?;
        if rows.num_columns() == COLUMNS.len() {
            return Ok(Groups::Means(each(rows, offsets, |start, end| Sample::of(&values[start..end]))?));
        }
        let covariate = reals(rows, 2)?;
        let pair = |start: usize, end: usize| Pair::of(&values[start..end], &covariate[start..end]);
        let adjusted = cuped(&each(rows, offsets, pair)?).map_err(|e| e.to_string())?;
        Ok(Groups::Means(adjusted.groups))
    }

    fn mean(&self, arm: usize) -> f64 {
        match self {
            Groups::Rates(rates) => rates[arm].successes as f64 / rates[arm].trials as f64,
            Groups::Means(samples) => samples[arm].mean,
        }
    }

    fn compare(&self, comparison: &Comparison) -> analytics::Result<Vec<Compared>> {
        match self {
            Groups::Rates(rates) => compare_rates(rates, comparison),
            Groups::Means(samples) => compare_means(samples, comparison),
        }
    }

    fn chance_to_win(&self, arm: usize, comparison: &Comparison) -> analytics::Result<f64> {
        let Comparison { control, scale, level, .. } = *comparison;
        let bayes = Bayes { scale, level, ..Bayes::default() };
        let verdict = match self {
            Groups::Rates(rates) => bayes_rates(rates[control], rates[arm], &bayes),
            Groups::Means(samples) => bayes_means(&samples[control], &samples[arm], &bayes),
        };
        Ok(verdict?.chance_to_win)
    }
}
