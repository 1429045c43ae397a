//! Thompson sampling: each arm with the probability that it is the best one. A reward between 0 and 1 counts as that
//! share of a success.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Gamma, StandardNormal};

use super::{Learner, Rewards, best};

pub(super) struct BetaArms {
    prior: (f64, f64),
    rewards: Rewards,
    rng: ChaCha8Rng,
}

impl BetaArms {
    pub(super) fn new(arms: usize, prior: (f64, f64), seed: u64) -> Self {
        Self { prior, rewards: Rewards::new(arms), rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// α and β of an arm.
    fn posterior(&self, arm: usize) -> (f64, f64) {
        let (rows, sum) = (self.rewards.rows[arm] as f64, self.rewards.sums[arm]);
        (self.prior.0 + sum, self.prior.1 + (rows - sum).max(0.0))
    }
}

impl Learner for BetaArms {
    fn choose(&mut self, _: &[f64]) -> usize {
        let draws: Vec<f64> = (0..self.rewards.rows.len())
            .map(|arm| {
                let (alpha, beta) = self.posterior(arm);
                let (successes, failures) = (gamma(alpha, &mut self.rng), gamma(beta, &mut self.rng));
                // Both may vanish for a tiny prior, whose two outcomes lie at 0 and 1.
                if successes + failures > 0.0 { successes / (successes + failures) } else { alpha / (alpha + beta) }
            })
            .collect();
        best(&draws)
    }

    fn learn(&mut self, _: &[f64], arm: usize, reward: f64) {
        self.rewards.add(arm, reward);
    }

    fn ratings(&self, _: &[f64]) -> Vec<f64> {
        let mean = |(alpha, beta): (f64, f64)| alpha / (alpha + beta);
        (0..self.rewards.rows.len()).map(|arm| mean(self.posterior(arm))).collect()
    }
}

/// A draw of shape above 0; the mean where there is no such distribution.
fn gamma(shape: f64, rng: &mut impl Rng) -> f64 {
    Gamma::new(shape, 1.0).map_or(shape, |gamma| gamma.sample(rng))
}

pub(super) struct NormalArms {
    mean: f64,
    /// One over the variance, of the prior and of a reward.
    prior: f64,
    reward: f64,
    rewards: Rewards,
    rng: ChaCha8Rng,
}

impl NormalArms {
    pub(super) fn new(arms: usize, mean: f64, deviation: f64, noise: f64, seed: u64) -> Self {
        let precision = |deviation: f64| 1.0 / (deviation * deviation).max(f64::MIN_POSITIVE);
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { mean, prior: precision(deviation), reward: precision(noise), rewards: Rewards::new(arms), rng }
    }

    /// Mean and deviation of an arm.
    fn posterior(&self, arm: usize) -> (f64, f64) {
        let precision = self.prior + self.reward * self.rewards.rows[arm] as f64;
        let mean = (self.prior * self.mean + self.reward * self.rewards.sums[arm]) / precision;
        (mean, 1.0 / precision.sqrt())
    }
}

impl Learner for NormalArms {
    fn choose(&mut self, _: &[f64]) -> usize {
        let draws: Vec<f64> = (0..self.rewards.rows.len())
            .map(|arm| {
                let (mean, deviation) = self.posterior(arm);
                let z: f64 = StandardNormal.sample(&mut self.rng);
                mean + deviation * z
            })
            .collect();
        best(&draws)
    }

    fn learn(&mut self, _: &[f64], arm: usize, reward: f64) {
        self.rewards.add(arm, reward);
    }

    fn ratings(&self, _: &[f64]) -> Vec<f64> {
        (0..self.rewards.rows.len()).map(|arm| self.posterior(arm).0).collect()
    }
}
