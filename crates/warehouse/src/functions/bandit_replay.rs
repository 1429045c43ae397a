//! `bandit_replay((SELECT decided_at, arm, reward, propensity, … FROM …))`: what policies that learn while they show would
//! have earned for each decision, replayed over the log of one that chose by chance, from its first decision to its last.
//! Columns after the propensity are what was known at the time; only LinUCB looks at them, and is left out without any.
//!
//! Thompson sampling takes rewards from 0 to 1 for shares of a success, and any others for normal, with a prior of the mean
//! and deviation of all rewards.

use std::sync::Arc;

use analytics::bandits::{Log, Policy, Replay, Replayed, replay};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::columns::{Codes, Measure, all_present, and_more, engine, measured, names, real, reals, told, with_reals};
use super::matrix::Matrix;
use super::{Algorithm, Problem, Shape};

const COLUMNS: [&str; 4] = [
    "a decision, in the order of time",
    "the arm that was shown",
    "its reward",
    "the probability with which it was chosen",
];
const CONTEXT: &str = "and maybe what was known then";

/// Settings.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BanditReplay {
    /// Optimism of UCB1 and LinUCB.
    alpha: f64,
    /// Share of chance of epsilon_greedy.
    epsilon: f64,
    /// Ridge of LinUCB.
    l2: f64,
    /// Coverage of the intervals.
    level: f64,
    /// Of what is drawn by chance.
    seed: u64,
}

impl Default for BanditReplay {
    fn default() -> Self {
        let Replay { seed, level } = Replay::default();
        BanditReplay { alpha: 1.0, epsilon: 0.1, l2: 1.0, level, seed }
    }
}

const RESULTS: [Measure<Replayed>; 3] =
    [("estimate", |played| played.estimate), ("low", |played| played.low), ("high", |played| played.high)];

impl BanditReplay {
    /// Policies by name, for rewards and a context of so many columns.
    fn policies(&self, rewards: &[f64], columns: usize) -> Vec<(&'static str, Policy)> {
        let Self { alpha, epsilon, l2, .. } = *self;
        let mut policies = vec![
            ("epsilon_greedy", Policy::EpsilonGreedy { epsilon }),
            ("thompson", thompson(rewards)),
            ("ucb1", Policy::Ucb1 { alpha }),
        ];
        if columns > 0 {
            policies.push(("lin_ucb", Policy::LinUcb { alpha, l2 }));
        }
        policies
    }
}

fn thompson(rewards: &[f64]) -> Policy {
    if rewards.iter().all(|reward| (0.0..=1.0).contains(reward)) {
        return Policy::ThompsonBeta { prior: (1.0, 1.0) };
    }
    let rows = rewards.len() as f64;
    let mean = rewards.iter().sum::<f64>() / rows;
    let deviation = (rewards.iter().map(|reward| (reward - mean).powi(2)).sum::<f64>() / rows).sqrt();
    // Rewards that never differ leave no noise to learn in.
    let deviation = if deviation > 0.0 { deviation } else { 1.0 };
    Policy::ThompsonNormal { mean, deviation, noise: deviation }
}

impl Algorithm for BanditReplay {
    fn shape(&self, columns: &Schema) -> Result<Shape, Problem> {
        let ([decision, arm, reward, propensity], context) = and_more(columns, COLUMNS, 0..=usize::MAX, CONTEXT)?;
        let mut input = vec![decision.data_type().clone(), arm.data_type().clone(), real(&reward)?, real(&propensity)?];
        for known in context {
            input.push(real(&known)?);
        }
        let kept = [
            Arc::new(Field::new("policy", DataType::Utf8, false)),
            Arc::new(Field::new("matches", DataType::Int64, false)),
        ];
        // All columns, because what is learned depends on the order.
        Ok(Shape { sorted_by: input.len(), input, output: with_reals(kept, &names(RESULTS)) })
    }

    fn run(&self, rows: &RecordBatch, output: &SchemaRef) -> Result<RecordBatch, Problem> {
        [0, 1].into_iter().try_for_each(|column| all_present(rows, column))?;
        let arms = Codes::of(rows.column(1))?;
        let shown: Vec<usize> = arms.of_rows.iter().map(|arm| *arm as usize).collect();
        let (rewards, propensities) = (reals(rows, 2)?, reals(rows, 3)?);
        let Matrix { x: contexts, columns } = Matrix::of(rows, COLUMNS.len()..)?;
        let log = Log {
            arms: arms.values.len(),
            shown: &shown,
            rewards: &rewards,
            contexts: &contexts,
            columns,
            propensities: &propensities,
        };
        let settings = Replay { seed: self.seed, level: self.level };
        let policies = self.policies(&rewards, columns);
        let play = |(name, policy): &(&str, Policy)| {
            replay(&log, policy, &settings).map_err(|e| format!("{name}: {}", told(rows, e)))
        };
        let played = policies.iter().map(play).collect::<Result<Vec<Replayed>, Problem>>()?;
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(policies.iter().map(|(name, _)| name))),
            Arc::new(Int64Array::from_iter_values(played.iter().map(|played| played.matches as i64))),
        ];
        columns.extend(measured(RESULTS, played.iter().map(Some)));
        RecordBatch::try_new(Arc::clone(output), columns).map_err(engine)
    }
}
