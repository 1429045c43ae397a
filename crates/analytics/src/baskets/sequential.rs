use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::FixedState;
use rayon::prelude::*;

use super::measures::Counts;
use super::{MinSupport, check_lift, check_share, check_size};
use crate::error::{Error, Result, not_empty, same_length};

/// Purchases as columns of equal length, one row for each item bought, sorted by customer and then by day. The same item
/// twice on a day counts once.
#[derive(Debug, Clone, Copy)]
pub struct Purchases<'a> {
    /// Any ids, ascending.
    pub customers: &'a [u64],
    /// Days since any fixed day, ascending for each customer.
    pub days: &'a [i32],
    pub items: &'a [u32],
}

/// Which sequential rules are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequentialSettings {
    /// Days from the antecedent to the consequent at most, 1 or more.
    pub within_days: u32,
    /// Of the customers.
    pub min_support: MinSupport,
    /// Between 0 and 1.
    pub min_confidence: f64,
    /// 0 or more.
    pub min_lift: f64,
    /// Rules at most, 1 or more.
    pub max_rules: usize,
}

impl Default for SequentialSettings {
    fn default() -> Self {
        Self {
            within_days: 90,
            min_support: MinSupport::Share(0.01),
            min_confidence: 0.1,
            min_lift: 1.0,
            max_rules: 1_000_000,
        }
    }
}

/// Who buys the antecedent buys the consequent on a later day, soon enough. The two may be the same item: bought again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequentialRule {
    pub antecedent: u32,
    pub consequent: u32,
    /// Customers who did so.
    pub customers: u32,
    /// They, as a share of all customers.
    pub support: f64,
    /// They, as a share of the customers who bought the antecedent. One whose purchase is too young to have been
    /// followed counts against the rule.
    pub confidence: f64,
    /// Confidence, divided by the share of customers who bought the consequent at any time. Below 1 for most "bought
    /// again" rules, as every buyer bought once but not all twice.
    pub lift: f64,
    /// Median over these customers of one gap each, in days: from their first purchase of the antecedent that was
    /// followed in time, to the first purchase of the consequent after it.
    pub median_gap: f64,
}

/// All rules "A, then B within n days" that are frequent, confident and lifted enough, by antecedent and consequent. Two
/// purchases of one day have no order and make no rule. Fails, naming the row, for rows that are not sorted, and where
/// there are more than `max_rules`.
pub fn sequential_rules(purchases: &Purchases, settings: &SequentialSettings) -> Result<Vec<SequentialRule>> {
    check_purchases(purchases)?;
    check_settings(settings)?;
    let histories = Histories::of(purchases, settings.min_support)?;
    let found = AtomicUsize::new(0);
    let is_full = || found.load(Ordering::Relaxed) > settings.max_rules;
    let follow = |code: usize| {
        let rules = if is_full() { vec![] } else { histories.rules(code as u32, settings) };
        found.fetch_add(rules.len(), Ordering::Relaxed);
        if is_full() { vec![] } else { rules }
    };
    let parts: Vec<Vec<SequentialRule>> =
        (0..histories.ids.len()).into_par_iter().with_max_len(1).map(follow).collect();
    if is_full() {
        let what = "sequential rules with this support, confidence and lift";
        return Err(Error::MoreThan { what, setting: "max_rules", most: settings.max_rules });
    }
    Ok(parts.into_iter().flatten().collect())
}

fn check_settings(settings: &SequentialSettings) -> Result<()> {
    check_share("min_confidence", settings.min_confidence)?;
    check_lift(settings.min_lift)?;
    for (name, value) in [("within_days", settings.within_days as usize), ("max_rules", settings.max_rules)] {
        if value == 0 {
            return Err(Error::Setting { name, value: 0.0, valid: "1 or more" });
        }
    }
    Ok(())
}

fn check_purchases(purchases: &Purchases) -> Result<()> {
    let Purchases { customers, days, items } = purchases;
    not_empty("purchases", customers.len())?;
    check_size("the number of purchases", customers.len())?;
    same_length("days of purchases", customers.len(), days.len())?;
    same_length("items of purchases", customers.len(), items.len())?;
    let mut customer = 0;
    for row in 1..customers.len() {
        if customers[row] < customers[row - 1] {
            let (value, valid) = (customers[row] as f64, "the customer of the row before or a greater one: sort them");
            return Err(Error::Value { what: "customer", row, value, valid });
        }
        if customers[row] > customers[row - 1] {
            customer += 1;
        } else if days[row] < days[row - 1] {
            return Err(Error::Unsorted { customer, row, day: days[row], previous: days[row - 1] });
        }
    }
    Ok(())
}

/// What each customer bought of the frequent items, by item. Items are codes, ascending like their ids.
struct Histories {
    all_customers: u32,
    min_count: u32,
    /// Item id of each code.
    ids: Vec<u32>,
    /// Days, ascending, on which one customer bought one item; next to one another for all items of the customer.
    runs: Vec<Run>,
    days: Vec<i32>,
    /// Runs of code c: `of_code[starts[c]..starts[c + 1]]`.
    starts: Vec<usize>,
    of_code: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Run {
    customer: u32,
    code: u32,
    start: u32,
    end: u32,
}

impl Histories {
    fn of(purchases: &Purchases, min_support: MinSupport) -> Result<Self> {
        let Purchases { customers, days, items } = purchases;
        let mut counts: HashMap<u32, u32, FixedState> = HashMap::default();
        let mut rows: Vec<(u32, i32)> = Vec::new();
        let (mut all_customers, mut from) = (0, 0);
        for of_one in customers.chunk_by(|a, b| a == b) {
            rows.clear();
            rows.extend(items[from..from + of_one.len()].iter().map(|&item| (item, 0)));
            rows.sort_unstable();
            rows.dedup();
            rows.iter().for_each(|&(item, _)| *counts.entry(item).or_default() += 1);
            from += of_one.len();
            all_customers += 1;
        }
        let min_count = min_support.count(all_customers)?;
        let mut ids: Vec<u32> = counts.iter().filter(|&(_, &count)| count >= min_count).map(|(&id, _)| id).collect();
        ids.sort_unstable();
        let codes: HashMap<u32, u32, FixedState> = ids.iter().copied().zip(0..).collect();
        let (mut runs, mut run_days, mut from) = (Vec::new(), Vec::new(), 0);
        for (of_one, customer) in customers.chunk_by(|a, b| a == b).zip(0..) {
            let to = from + of_one.len();
            rows.clear();
            let known = |(item, &day): (&u32, &i32)| codes.get(item).map(|&code| (code, day));
            rows.extend(items[from..to].iter().zip(&days[from..to]).filter_map(known));
            rows.sort_unstable();
            rows.dedup();
            for run in rows.chunk_by(|a, b| a.0 == b.0) {
                let start = run_days.len() as u32;
                run_days.extend(run.iter().map(|&(_, day)| day));
                runs.push(Run { customer, code: run[0].0, start, end: run_days.len() as u32 });
            }
            from = to;
        }
        let mut of_code: Vec<u32> = (0..runs.len() as u32).collect();
        of_code.sort_by_key(|&run| runs[run as usize].code);
        let starts =
            (0..=ids.len()).map(|c| of_code.partition_point(|&run| (runs[run as usize].code as usize) < c)).collect();
        Ok(Self { all_customers, min_count, ids, runs, days: run_days, starts, of_code })
    }

    /// The rules with that antecedent.
    fn rules(&self, code: u32, settings: &SequentialSettings) -> Vec<SequentialRule> {
        let mut followed = vec![0u32; self.ids.len()];
        let mut gaps: Vec<(u32, u32)> = Vec::new();
        for &run in self.runs_of(code) {
            for after in self.runs_beside(run as usize) {
                if let Some(gap) = self.gap(&self.runs[run as usize], after, settings.within_days) {
                    followed[after.code as usize] += 1;
                    gaps.push((after.code, gap));
                }
            }
        }
        let antecedent = self.runs_of(code).len() as u32;
        let keep = |consequent: u32| {
            let both = followed[consequent as usize];
            let bought = self.runs_of(consequent).len() as u32;
            let counts = Counts { all: self.all_customers, antecedent, consequent: bought, both };
            let enough = both >= self.min_count
                && counts.confidence() >= settings.min_confidence
                && counts.lift() >= settings.min_lift;
            enough.then_some(counts)
        };
        let kept: Vec<Option<Counts>> = (0..self.ids.len() as u32).map(keep).collect();
        gaps.retain(|&(consequent, _)| kept[consequent as usize].is_some());
        gaps.sort_unstable();
        let rule = |gaps: &[(u32, u32)]| {
            let consequent = gaps[0].0 as usize;
            kept[consequent].map(|counts| SequentialRule {
                antecedent: self.ids[code as usize],
                consequent: self.ids[consequent],
                customers: counts.both,
                support: counts.share(counts.both),
                confidence: counts.confidence(),
                lift: counts.lift(),
                median_gap: f64::midpoint(f64::from(gaps[(gaps.len() - 1) / 2].1), f64::from(gaps[gaps.len() / 2].1)),
            })
        };
        gaps.chunk_by(|a, b| a.0 == b.0).filter_map(rule).collect()
    }

    fn runs_of(&self, code: u32) -> &[u32] {
        &self.of_code[self.starts[code as usize]..self.starts[code as usize + 1]]
    }

    /// All runs of the customer of one.
    fn runs_beside(&self, run: usize) -> &[Run] {
        let customer = self.runs[run].customer;
        let before = self.runs[..run].iter().rev().take_while(|r| r.customer == customer).count();
        let after = self.runs[run..].iter().take_while(|r| r.customer == customer).count();
        &self.runs[run - before..run + after]
    }

    /// Days from the first purchase of `first` that `then` follows within that many days, to the next of `then`.
    fn gap(&self, first: &Run, then: &Run, within_days: u32) -> Option<u32> {
        let days = |run: &Run| &self.days[run.start as usize..run.end as usize];
        let mut later = days(then);
        for &day in days(first) {
            later = &later[later.iter().take_while(|&&other| other <= day).count()..];
            let gap = later.first()?.abs_diff(day);
            if gap <= within_days {
                return Some(gap);
            }
        }
        None
    }
}
