//! Assignment of customers to variants by a salted hash: the same customer gets the same variant on any machine and at
//! any time, and nothing need be stored. The holdout has a hash of its own, so that a holdout salt shared by many
//! experiments holds the same customers out of all of them, whatever the experiment's own salt.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::error::{Error, Result, not_empty};

/// How customers are split.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Names the experiment; another salt deals the customers anew.
    pub salt: String,
    /// One per variant, not negative, in any unit: variant `i` gets weights[i] / Σ weights of those not held out.
    pub weights: Vec<f64>,
    /// Share of customers that get no variant, 0 to 1. Raising it keeps out who was out before.
    pub holdout: f64,
    pub holdout_salt: String,
}

impl Default for Assignment {
    fn default() -> Self {
        Self { salt: String::new(), weights: vec![1.0, 1.0], holdout: 0.0, holdout_salt: "holdout".to_owned() }
    }
}

/// A checked `Assignment`.
#[derive(Debug, Clone, PartialEq)]
pub struct Assigner {
    seed: u64,
    holdout_seed: u64,
    holdout: f64,
    /// Upper ends of the variants' ranges in [0, 1).
    ends: Vec<f64>,
}

impl Assigner {
    /// Fails for no variants, a weight that is negative or not finite, weights that are all 0, and a holdout outside 0..1.
    pub fn new(assignment: &Assignment) -> Result<Self> {
        let Assignment { salt, weights, holdout, holdout_salt } = assignment;
        not_empty("variants", weights.len())?;
        if let Some(row) = weights.iter().position(|w| !(*w >= 0.0 && w.is_finite())) {
            let valid = "0 or more and finite";
            return Err(Error::Value { what: "weight", row, value: weights[row], valid });
        }
        let total: f64 = weights.iter().sum();
        crate::error::positive("the sum of the weights", total)?;
        if !(0.0..=1.0).contains(holdout) {
            return Err(Error::Setting { name: "holdout", value: *holdout, valid: "0 to 1" });
        }
        let mut below = 0.0;
        let mut end = |weight: &f64| {
            below += weight;
            below / total
        };
        let ends = weights.iter().map(&mut end).collect();
        let (seed, holdout_seed) = (xxh3_64(salt.as_bytes()), xxh3_64(holdout_salt.as_bytes()));
        Ok(Self { seed, holdout_seed, holdout: *holdout, ends })
    }

    /// The variant of a customer, counted from 0, or `None` if held out: xxh3_64 of the id with the xxh3_64 of the salt as
    /// its seed, its upper 53 bits as a share of 1, and the variant in whose range that falls.
    pub fn variant(&self, customer_id: &str) -> Option<usize> {
        if share(customer_id, self.holdout_seed) < self.holdout {
            return None;
        }
        let at = share(customer_id, self.seed);
        self.ends.iter().position(|end| at < *end)
    }
}

/// In [0, 1), evenly.
fn share(customer_id: &str, seed: u64) -> f64 {
    (xxh3_64_with_seed(customer_id.as_bytes(), seed) >> 11) as f64 / (1u64 << 53) as f64
}
