//! UCB1: optimism about what has been tried little.

use super::{Learner, Rewards, best};

pub(super) struct Ucb1 {
    alpha: f64,
    total: u64,
    rewards: Rewards,
}

impl Ucb1 {
    pub(super) fn new(arms: usize, alpha: f64) -> Self {
        Self { alpha, total: 0, rewards: Rewards::new(arms) }
    }
}

impl Learner for Ucb1 {
    fn choose(&mut self, context: &[f64]) -> usize {
        best(&self.ratings(context))
    }

    fn learn(&mut self, _: &[f64], arm: usize, reward: f64) {
        self.total += 1;
        self.rewards.add(arm, reward);
    }

    fn ratings(&self, _: &[f64]) -> Vec<f64> {
        let log = (self.total.max(1) as f64).ln();
        let rating = |arm: usize| match self.rewards.rows[arm] {
            0 => f64::INFINITY,
            rows => self.rewards.mean(arm) + self.alpha * (2.0 * log / rows as f64).sqrt(),
        };
        (0..self.rewards.rows.len()).map(rating).collect()
    }
}
