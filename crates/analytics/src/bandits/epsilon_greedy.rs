//! Epsilon-greedy: the best so far, and a fixed share of chance.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Learner, Rewards, best};

pub(super) struct EpsilonGreedy {
    epsilon: f64,
    rewards: Rewards,
    rng: ChaCha8Rng,
}

impl EpsilonGreedy {
    pub(super) fn new(arms: usize, epsilon: f64, seed: u64) -> Self {
        Self { epsilon, rewards: Rewards::new(arms), rng: ChaCha8Rng::seed_from_u64(seed) }
    }
}

impl Learner for EpsilonGreedy {
    fn choose(&mut self, context: &[f64]) -> usize {
        if self.rng.random_bool(self.epsilon) {
            self.rng.random_range(0..self.rewards.rows.len())
        } else {
            best(&self.ratings(context))
        }
    }

    fn learn(&mut self, _: &[f64], arm: usize, reward: f64) {
        self.rewards.add(arm, reward);
    }

    fn ratings(&self, _: &[f64]) -> Vec<f64> {
        (0..self.rewards.rows.len()).map(|arm| self.rewards.mean(arm)).collect()
    }
}
