use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::FixedState;
use rayon::prelude::*;

use super::itemsets::Itemsets;
use super::measures::Counts;
use super::{check_lift, check_share};
use crate::error::{Error, Result};

/// Itemsets split into rules by one thread at a time.
const CHUNK: usize = 256;

/// Which rules are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RuleSettings {
    /// Between 0 and 1.
    pub min_confidence: f64,
    /// 0 or more; 1 leaves out what is bought together less often than by chance.
    pub min_lift: f64,
    /// Items of a consequent at most, 1 or more; `None` for any number.
    pub max_consequent: Option<usize>,
    /// Rules at most, 1 or more.
    pub max_rules: usize,
}

impl Default for RuleSettings {
    fn default() -> Self {
        Self { min_confidence: 0.2, min_lift: 1.0, max_consequent: None, max_rules: 1_000_000 }
    }
}

/// Who buys all of the antecedent also buys all of the consequent. The two share no item; both are ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub antecedent: Vec<u32>,
    pub consequent: Vec<u32>,
    /// Baskets with all items of both.
    pub count: u32,
    /// Share of the baskets with the antecedent.
    pub antecedent_support: f64,
    /// Share of the baskets with the consequent.
    pub consequent_support: f64,
    /// Share of the baskets with both.
    pub support: f64,
    /// Share with the consequent of the baskets with the antecedent.
    pub confidence: f64,
    /// How many times more often both are together than by chance; 1 for independent ones.
    pub lift: f64,
    /// Share of the baskets with both, less what it were by chance.
    pub leverage: f64,
    /// How many times more often the antecedent were without the consequent by chance; infinite where it never is.
    pub conviction: f64,
    /// Zhang's metric: −1 (never together) to 1 (never apart), 0 by chance and where one is in every basket.
    pub zhang: f64,
}

/// All rules that the itemsets give: each itemset of two items or more, cut in two in every way. In the order of the
/// itemsets, of one itemset by consequent (length, then items). Fails where there are more than `max_rules`.
pub fn association_rules(itemsets: &Itemsets, settings: &RuleSettings) -> Result<Vec<Rule>> {
    check_share("min_confidence", settings.min_confidence)?;
    check_lift(settings.min_lift)?;
    for (name, value) in [("max_consequent", settings.max_consequent), ("max_rules", Some(settings.max_rules))] {
        if value == Some(0) {
            return Err(Error::Setting { name, value: 0.0, valid: "1 or more" });
        }
    }
    let counts = (0..itemsets.len()).map(|i| (itemsets.items(i), itemsets.count(i))).collect();
    let splitter = Splitter { all: itemsets.baskets, counts, settings, found: AtomicUsize::new(0) };
    let chunk = |chunk: usize| {
        let mut rules = Vec::new();
        for i in chunk * CHUNK..((chunk + 1) * CHUNK).min(itemsets.len()) {
            splitter.split(itemsets.items(i), itemsets.count(i), &mut rules);
        }
        rules
    };
    let parts: Vec<Vec<Rule>> = (0..itemsets.len().div_ceil(CHUNK)).into_par_iter().map(chunk).collect();
    if splitter.is_full() {
        let what = "rules with this confidence and lift";
        return Err(Error::MoreThan { what, setting: "max_rules", most: settings.max_rules });
    }
    Ok(parts.into_iter().flatten().collect())
}

struct Splitter<'a> {
    all: u32,
    counts: HashMap<&'a [u32], u32, FixedState>,
    settings: &'a RuleSettings,
    found: AtomicUsize,
}

impl Splitter<'_> {
    fn is_full(&self) -> bool {
        self.found.load(Ordering::Relaxed) > self.settings.max_rules
    }

    /// Adds the rules of one itemset, consequents of one item first. A larger consequent leaves a smaller antecedent,
    /// which is in more baskets: where confidence is too low for a consequent, it is for all that contain it.
    fn split(&self, items: &[u32], both: u32, rules: &mut Vec<Rule>) {
        let longest = self.settings.max_consequent.unwrap_or(usize::MAX).min(items.len().saturating_sub(1));
        // Consequents of one length that reach the confidence, as ascending positions in `items`.
        let mut level: Vec<Vec<usize>> = if longest == 0 { vec![] } else { vec![vec![]] };
        for _ in 0..longest {
            let mut next = Vec::new();
            for shorter in &level {
                for last in shorter.last().map_or(0, |last| last + 1)..items.len() {
                    if self.is_full() {
                        return;
                    }
                    let mut positions = shorter.clone();
                    positions.push(last);
                    let Some(rule) = self.rule(items, both, &positions) else { continue };
                    next.push(positions);
                    if rule.lift >= self.settings.min_lift {
                        self.found.fetch_add(1, Ordering::Relaxed);
                        rules.push(rule);
                    }
                }
            }
            level = next;
        }
    }

    /// The rule with that consequent, if it reaches the confidence.
    fn rule(&self, items: &[u32], both: u32, positions: &[usize]) -> Option<Rule> {
        let is_consequent = |i: usize| positions.binary_search(&i).is_ok();
        let antecedent: Vec<u32> = (0..items.len()).filter(|&i| !is_consequent(i)).map(|i| items[i]).collect();
        let consequent: Vec<u32> = positions.iter().map(|&i| items[i]).collect();
        let counts = Counts {
            all: self.all,
            antecedent: *self.counts.get(&antecedent[..])?,
            consequent: *self.counts.get(&consequent[..])?,
            both,
        };
        if counts.confidence() < self.settings.min_confidence {
            return None;
        }
        Some(Rule {
            antecedent,
            consequent,
            count: both,
            antecedent_support: counts.share(counts.antecedent),
            consequent_support: counts.share(counts.consequent),
            support: counts.share(both),
            confidence: counts.confidence(),
            lift: counts.lift(),
            leverage: counts.leverage(),
            conviction: counts.conviction(),
            zhang: counts.zhang(),
        })
    }
}
