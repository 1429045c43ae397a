//! The attainable truth against simulated populations and against independent computations of the same thing.

mod calibration;
mod increments;
mod oracle;
mod replays;

use chrono::NaiveDate;
use rayon::prelude::*;

use crate::customer::{self, History};
use crate::outlook::Outlook;
use crate::shop::{Shop, days};
use crate::truth::{self, Attainable};
use crate::{Config, Kind};

/// One customer with a truth, beside what then happened.
struct Outcome {
    truth: Attainable,
    history: History,
    is_churned: bool,
    value: f64,
    orders: f64,
    /// Main product of the first order in the horizon.
    next: Option<usize>,
}

fn config(kind: Kind, customers: u64, seed: u64) -> Config {
    Config { kind, start: NaiveDate::from_ymd_opt(2023, 1, 1).unwrap(), ..Config::new(customers, 24, seed) }
}

/// Simulates a population and what the files would show of it in the horizon.
fn population(shop: &Shop) -> Vec<Outcome> {
    let outlook = Outlook::new(shop);
    let one = |index| {
        let history = customer::simulate(shop, index, &mut shop.customer_rng(index));
        let truth = truth::attainable(shop, &outlook, &history)?;
        let in_horizon = |at, recorded| at >= shop.as_of && days(at) < shop.horizon_end() && recorded < shop.end;
        let orders: Vec<_> = history.purchases.iter().filter(|p| in_horizon(p.at, p.recorded)).collect();
        let reversed = history.reversals.iter().filter(|r| in_horizon(r.at, r.recorded));
        let lost: f64 = reversed
            .map(|r| r.lines.iter().map(|&line| history.purchases[r.of].lines[line].amount()).sum::<f64>())
            .sum();
        let gained: f64 = orders.iter().flat_map(|p| &p.lines).map(|line| line.amount()).sum();
        let (count, next) = (orders.len(), orders.first().map(|p| p.lines[0].product));
        Some(Outcome { truth, is_churned: count == 0, value: gained - lost, orders: count as f64, next, history })
    };
    (0..shop.customers).into_par_iter().filter_map(one).collect()
}

/// Area under the ROC curve of `score` for `positive`, ties averaged.
fn auc(cases: impl Iterator<Item = (f64, bool)>) -> f64 {
    let mut cases: Vec<_> = cases.collect();
    cases.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ranks = ranks(&cases.iter().map(|c| c.0).collect::<Vec<_>>());
    let positives = cases.iter().filter(|c| c.1).count() as f64;
    let sum: f64 = cases.iter().zip(&ranks).filter(|(c, _)| c.1).map(|(_, rank)| rank).sum();
    (sum - positives * (positives + 1.0) / 2.0) / (positives * (cases.len() as f64 - positives))
}

/// Average ranks from 1 of ascending values.
fn ranks(sorted: &[f64]) -> Vec<f64> {
    let mut ranks = Vec::with_capacity(sorted.len());
    for group in sorted.chunk_by(|a, b| a == b) {
        let first = ranks.len() as f64 + 1.0;
        ranks.extend(std::iter::repeat_n(first + (group.len() as f64 - 1.0) / 2.0, group.len()));
    }
    ranks
}
