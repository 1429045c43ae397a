//! Bandits: which arm (offer, message, price) to show next, learned while showing. Every policy is a `Learner` that
//! chooses and is told the reward, so that it can be replayed over a log of what another policy did; a policy that is
//! fixed is judged on the same log without being run (`off_policy`). Arms and rows are counted from 0; of equal arms the
//! first is chosen.

mod epsilon_greedy;
mod lin_ucb;
mod log;
mod off_policy;
mod replay;
mod thompson;
mod ucb1;

use crate::error::{Error, Result, positive};

pub use log::Log;
pub use off_policy::{Estimator, OffPolicy, Value, off_policy, reward_model};
pub use replay::{Replay, Replayed, replay};

/// A way to choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Policy {
    /// The arm with the highest mean + alpha · √(2 ln rows / rows of the arm), 1 in Auer, Cesa-Bianchi & Fischer (Machine
    /// Learning 47, 2002).
    Ucb1 { alpha: f64 },
    /// A random arm in a share `epsilon` of the rows, otherwise the arm with the highest mean.
    EpsilonGreedy { epsilon: f64 },
    /// The highest of one draw from each arm's beta posterior; rewards are 0 to 1, the prior is successes and failures.
    ThompsonBeta { prior: (f64, f64) },
    /// The highest of one draw from each arm's normal posterior of the mean; `noise` is the deviation of a reward.
    ThompsonNormal { mean: f64, deviation: f64, noise: f64 },
    /// The arm with the highest x·β + alpha · √(x A⁻¹ x), a ridge regression of the context for each arm: Li, Chu, Langford
    /// & Schapire (WWW 2010), disjoint.
    LinUcb { alpha: f64, l2: f64 },
}

/// A policy at work. Arms and contexts given to it must be of the size that it was made for.
pub trait Learner {
    fn choose(&mut self, context: &[f64]) -> usize;

    fn learn(&mut self, context: &[f64], arm: usize, reward: f64);

    /// What each arm is rated at, apart from chance: an upper bound or a mean; infinite for an arm that must be tried first.
    fn ratings(&self, context: &[f64]) -> Vec<f64>;
}

impl Policy {
    /// A learner that has seen nothing. `columns` is the length of a context, 0 for none.
    pub fn learner(&self, arms: usize, columns: usize, seed: u64) -> Result<Box<dyn Learner>> {
        crate::error::not_empty("arms", arms)?;
        Ok(match *self {
            Self::Ucb1 { alpha } => {
                not_negative("alpha", alpha)?;
                Box::new(ucb1::Ucb1::new(arms, alpha))
            }
            Self::EpsilonGreedy { epsilon } => {
                if !(0.0..=1.0).contains(&epsilon) {
                    return Err(Error::Setting { name: "epsilon", value: epsilon, valid: "0 to 1" });
                }
                Box::new(epsilon_greedy::EpsilonGreedy::new(arms, epsilon, seed))
            }
            Self::ThompsonBeta { prior } => {
                positive("the prior's successes", prior.0)?;
                positive("the prior's failures", prior.1)?;
                Box::new(thompson::BetaArms::new(arms, prior, seed))
            }
            Self::ThompsonNormal { mean, deviation, noise } => {
                if !mean.is_finite() {
                    return Err(Error::Setting { name: "the prior's mean", value: mean, valid: "a finite number" });
                }
                positive("the prior's deviation", deviation)?;
                positive("noise", noise)?;
                Box::new(thompson::NormalArms::new(arms, mean, deviation, noise, seed))
            }
            Self::LinUcb { alpha, l2 } => {
                not_negative("alpha", alpha)?;
                positive("l2", l2)?;
                crate::error::not_empty("the context of LinUCB", columns)?;
                Box::new(lin_ucb::LinUcb::new(arms, columns, alpha, l2))
            }
        })
    }
}

/// Rewards of each arm.
#[derive(Debug, Clone, PartialEq)]
struct Rewards {
    rows: Vec<u64>,
    sums: Vec<f64>,
}

impl Rewards {
    fn new(arms: usize) -> Self {
        Self { rows: vec![0; arms], sums: vec![0.0; arms] }
    }

    fn add(&mut self, arm: usize, reward: f64) {
        self.rows[arm] += 1;
        self.sums[arm] += reward;
    }

    /// Of an arm, or infinite if it has none.
    fn mean(&self, arm: usize) -> f64 {
        if self.rows[arm] == 0 { f64::INFINITY } else { self.sums[arm] / self.rows[arm] as f64 }
    }
}

/// The first of the highest.
fn best(ratings: &[f64]) -> usize {
    (1..ratings.len()).fold(0, |best, arm| if ratings[arm] > ratings[best] { arm } else { best })
}

fn not_negative(name: &'static str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(Error::Setting { name, value, valid: "0 or more and finite" })
    }
}
