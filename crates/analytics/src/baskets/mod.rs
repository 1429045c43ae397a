//! What is bought together, and what is bought next. A basket is a set of item ids; an *itemset* is frequent when enough
//! baskets hold all of it (`frequent_itemsets`), a *rule* says what else a basket holds that has the antecedent
//! (`association_rules`), and a *sequential rule* what the same customer buys some days later (`sequential_rules`).
//!
//! Counts are whole numbers to the end, and every measure is one division of counts: no rule depends on the order in
//! which baskets were added up, and a threshold that a rule meets exactly is met.

mod budget;
mod itemsets;
mod measures;
mod rules;
mod sequential;
mod tree;

use crate::error::{Error, Result};

pub use itemsets::{ItemsetSettings, Itemsets, frequent_itemsets};
pub use rules::{Rule, RuleSettings, association_rules};
pub use sequential::{Purchases, SequentialRule, SequentialSettings, sequential_rules};

/// From how many baskets (or customers) on something counts as frequent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MinSupport {
    /// Share of all of them, above 0 and at most 1.
    Share(f64),
    /// Number of them, 1 or more.
    Count(u32),
}

impl MinSupport {
    /// The smallest count that is enough, of `total`: for a share, the smallest whose quotient by `total` is not below it.
    fn count(self, total: u32) -> Result<u32> {
        match self {
            Self::Count(0) => Err(Error::Setting { name: "min_count", value: 0.0, valid: "1 or more" }),
            Self::Count(count) => Ok(count),
            Self::Share(share) if share > 0.0 && share <= 1.0 => {
                let reaches = |count: u32| f64::from(count) / f64::from(total) >= share;
                // The product is rounded, so its ceiling may be one off either way.
                let near = (share * f64::from(total)).ceil() as u32;
                let low = near.saturating_sub(1).max(1);
                Ok((low..=total).find(|&count| reaches(count)).unwrap_or(total))
            }
            Self::Share(share) => {
                Err(Error::Setting { name: "min_support", value: share, valid: "above 0 and at most 1" })
            }
        }
    }
}

fn check_share(name: &'static str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(Error::Setting { name, value, valid: "between 0 and 1" }) }
}

fn check_lift(value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::Setting { name: "min_lift", value, valid: "0 or more and finite" })
}

/// Counts and positions are u32 inside.
fn check_size(what: &'static str, rows: usize) -> Result<u32> {
    u32::try_from(rows).ok().filter(|&rows| rows < u32::MAX).ok_or(Error::Setting {
        name: what,
        value: rows as f64,
        valid: "below 2^32 - 1",
    })
}
