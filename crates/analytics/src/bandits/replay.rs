//! Replay: what a learning policy would have earned. Rows on which it chooses what was shown are as good as its own, and
//! it learns from them; the others are passed over. Unbiased where the log was drawn at random: Li, Chu, Langford &
//! Wang (WSDM 2011). Where arms were not equally probable, a match is kept with a chance that makes them so.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Policy;
use super::log::Log;
use crate::distributions::student_critical;
use crate::error::{Error, Result, all_within, valid_level};

/// How to replay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Replay {
    pub seed: u64,
    /// Coverage of the interval, between 0 and 1.
    pub level: f64,
}

impl Default for Replay {
    fn default() -> Self {
        Self { seed: 0, level: 0.95 }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// The arm that the policy chose in each row of the log.
    pub choices: Vec<usize>,
    /// Rows that it learned from.
    pub matches: usize,
    /// Mean reward of these.
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
}

/// Plays the policy over the log from the first row to the last. Fails where fewer than two rows match.
pub fn replay(log: &Log, policy: &Policy, replay: &Replay) -> Result<Replayed> {
    log.check()?;
    valid_level(replay.level)?;
    if matches!(policy, Policy::ThompsonBeta { .. }) {
        all_within("reward of a beta bandit", log.rewards, 0.0..=1.0, "0 to 1")?;
    }
    let mut learner = policy.learner(log.arms, log.columns, replay.seed)?;
    let least = (0..log.rows()).map(|row| log.propensity(row)).fold(1.0, f64::min);
    let mut rng = ChaCha8Rng::seed_from_u64(replay.seed);
    // The learner draws from stream 0 of the same seed.
    rng.set_stream(1);
    let (mut choices, mut rewards) = (Vec::with_capacity(log.rows()), Vec::new());
    for row in 0..log.rows() {
        let choice = learner.choose(log.context(row));
        choices.push(choice);
        if choice == log.shown[row] && rng.random_bool((least / log.propensity(row)).min(1.0)) {
            learner.learn(log.context(row), choice, log.rewards[row]);
            rewards.push(log.rewards[row]);
        }
    }
    let matches = rewards.len();
    if matches < 2 {
        let why = "the policy chose what was shown in fewer than two rows";
        return Err(Error::Undefined { metric: "the replay", why });
    }
    let rows = matches as f64;
    let estimate = rewards.iter().sum::<f64>() / rows;
    let squares: f64 = rewards.iter().map(|reward| (reward - estimate).powi(2)).sum();
    let width = student_critical(1.0 - replay.level, rows - 1.0) * (squares / (rows - 1.0) / rows).sqrt();
    if !(estimate.is_finite() && width.is_finite()) {
        return Err(Error::Undefined { metric: "the replay", why: "its rewards are beyond the largest number" });
    }
    Ok(Replayed { choices, matches, estimate, low: estimate - width, high: estimate + width })
}
