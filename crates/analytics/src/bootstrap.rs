//! Percentile bootstrap over rows: how far a metric, or the difference between two models on the same rows, would
//! move with other customers. Replicate `r` draws from its own ChaCha stream `r`, so the interval depends on the seed
//! and never on the number of threads. Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::error::{Error, Result, not_empty, same_length};
use crate::statistic::Statistic;

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    pub replicates: usize,
    pub seed: u64,
    /// Coverage of the interval, between 0 and 1.
    pub level: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { replicates: 1000, seed: 0, level: 0.95 }
    }
}

/// A value on all rows, and the quantiles of its resamples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
}

impl Bootstrap {
    /// Interval of one statistic. Resamples in which it is undefined are left out; fails when they are more than half.
    pub fn interval(&self, statistic: &impl Statistic) -> Result<Interval> {
        self.run(statistic.rows(), |weights| statistic.weighted(weights))
    }

    /// Interval of `model − baseline`, both read on the same resamples (paired).
    pub fn difference(&self, model: &impl Statistic, baseline: &impl Statistic) -> Result<Interval> {
        same_length("the baseline's rows", model.rows(), baseline.rows())?;
        self.run(model.rows(), |weights| Some(model.weighted(weights)? - baseline.weighted(weights)?))
    }

    fn run(&self, rows: usize, value: impl Fn(&[u32]) -> Option<f64> + Sync) -> Result<Interval> {
        not_empty("bootstrap", rows)?;
        if self.replicates == 0 {
            return Err(Error::Setting { name: "replicates", value: 0.0, valid: "1 or more" });
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(Error::Setting { name: "level", value: self.level, valid: "between 0 and 1" });
        }
        let estimate = value(&vec![1; rows])
            .filter(|v| v.is_finite())
            .ok_or(Error::Undefined { metric: "the statistic", why: "it has no value on the rows as they are" })?;
        let mut values: Vec<f64> = (0..self.replicates)
            .into_par_iter()
            .map_init(
                || vec![0u32; rows],
                |weights, replicate| {
                    self.draw(replicate, weights);
                    value(weights).filter(|v| v.is_finite())
                },
            )
            .flatten()
            .collect();
        if values.len() * 2 < self.replicates {
            return Err(Error::FewReplicates { defined: values.len(), replicates: self.replicates });
        }
        values.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - self.level) / 2.0;
        Ok(Interval { estimate, low: quantile(&values, tail), high: quantile(&values, 1.0 - tail) })
    }

    /// How often each row is drawn in a replicate: as many draws with replacement as there are rows.
    fn draw(&self, replicate: usize, weights: &mut [u32]) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(replicate as u64);
        weights.fill(0);
        for _ in 0..weights.len() {
            weights[rng.random_range(0..weights.len())] += 1;
        }
    }
}

/// Linear interpolation between order statistics (type 7, numpy's default). `sorted` is not empty.
pub(crate) fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let position = probability * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}
