//! `off_policy((SELECT decision_id, arm, reward, propensity, other_arm, … FROM …))`: what another policy would have earned
//! for each decision, from the log of one that chose by chance. The other policy is the arm that it would have shown in each
//! row; columns after it are what was known at the time, from which the rewards of arms not shown are expected.

use std::sync::Arc;

use analytics::bandits::{self, Estimator, Log, Value, off_policy};
use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{
    Codes, Measure, all_present, and_more, engine, measured, names, one_type, real, reals, told, with_reals,
};
use super::matrix::Matrix;
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 5] = [
    "a decision",
    "the arm that was shown",
    "its reward",
    "the probability with which it was chosen",
    "the arm that the other policy would have shown",
];
const CONTEXT: &str = "and maybe what was known then";
/// Rows times arms.
const MOST_CELLS: usize = 1 << 27;

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OffPolicy {
    /// By propensities alone, by their normalised weights, or with expected rewards besides.
    #[serde(with = "EstimatorName")]
    estimator: Estimator,
    /// Coverage of the interval.
    level: f64,
    /// Of the model of rewards.
    folds: usize,
    /// Ridge of the model of rewards.
    l2: f64,
}

#[derive(Deserialize, Serialize)]
#[serde(remote = "Estimator", rename_all = "snake_case")]
enum EstimatorName {
    Ips,
    SelfNormalised,
    DoublyRobust,
}

impl Default for OffPolicy {
    fn default() -> Self {
        let bandits::OffPolicy { estimator, level, folds, l2 } = bandits::OffPolicy::default();
        OffPolicy { estimator, level, folds, l2 }
    }
}

const RESULTS: [Measure<Value>; 5] = [
    ("estimate", |value| value.estimate),
    ("standard_error", |value| value.standard_error),
    ("low", |value| value.low),
    ("high", |value| value.high),
    ("effective_rows", |value| value.effective_rows),
];

impl Algorithm for OffPolicy {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let ([decision, shown, reward, propensity, other], context) =
            and_more(columns, COLUMNS, 0..=usize::MAX, CONTEXT)?;
        let arm = one_type(&shown, &other)?;
        let mut input = vec![decision.data_type().clone(), arm.clone(), real(&reward)?, real(&propensity)?, arm];
        for known in context {
            input.push(real(&known)?);
        }
        let decisions = Arc::new(Field::new("decisions", DataType::Int64, false));
        // All columns, because sums and folds depend on the order.
        Ok(Shape { sorted_by: input.len(), input, output: with_reals([decisions], &names(RESULTS)) })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        let Self { estimator, level, folds, l2 } = *self;
        let decisions = rows.num_rows();
        [1, 4].into_iter().try_for_each(|arm| all_present(rows, arm))?;
        let arms = Codes::of(&concat(&[rows.column(1), rows.column(4)]).map_err(engine)?)?;
        let count = arms.values.len();
        if decisions.saturating_mul(count) > MOST_CELLS {
            return Err(format!(
                "{decisions} decisions among {count} arms; the most is {MOST_CELLS} of both multiplied"
            ));
        }
        let codes: Vec<usize> = arms.of_rows.iter().map(|arm| *arm as usize).collect();
        let (shown, other) = codes.split_at(decisions);
        let mut target = vec![0.0; decisions * count];
        other.iter().enumerate().for_each(|(row, arm)| target[row * count + arm] = 1.0);
        let (rewards, propensities) = (reals(rows, 2)?, reals(rows, 3)?);
        let Matrix { x: contexts, columns } = Matrix::of(rows, COLUMNS.len()..)?;
        let log =
            Log { arms: count, shown, rewards: &rewards, contexts: &contexts, columns, propensities: &propensities };
        let settings = bandits::OffPolicy { estimator, level, folds, l2 };
        let value = off_policy(&log, &target, &settings).map_err(|e| told(rows, e))?;
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![decisions as i64]))];
        columns.extend(measured(RESULTS, std::iter::once(Some(&value))));
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
