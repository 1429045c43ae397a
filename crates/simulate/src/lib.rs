//! A shop with known truth: files as a company would export them, and what can be known from them.
//!
//! [`write()`] simulates every customer of a [`Config`] and writes raw CSV and Parquet files, dirt included, plus three
//! truths: *latent* (each customer's rates, leaving day, taste, campaign effect), *increments* (what each campaign
//! changes for each customer, given the latent truth) and *attainable* (churn probability, value and next product given
//! only what the files show at a cut-off and the shop's true parameters). The attainable truth is the best score that any
//! model can reach, and so the yardstick; the latent one is out of reach.
//!
//! # Mechanism
//!
//! One decision shapes all of it: whatever happens is Poisson given a few latent values with conjugate priors, so that
//! the attainable truth is exact (a one-dimensional quadrature and small sums) instead of another model's estimate.
//!
//! - **Buying and leaving.** Pareto/NBD (Schmittlein, Morrison & Colombo 1987; Fader & Hardie 2005): the first order
//!   acquires the customer; then orders at a Gamma-distributed rate until he leaves, silently, after a Pareto II
//!   lifetime. Season, weekday and hour scale the rate, known to all (time-varying Pareto/NBD: Bachmann, Meierer & Näf
//!   2021).
//! - **Browsing fades before leaving.** Sessions at a Gamma-distributed rate of their own, falling in two steps in the
//!   last 60 days before leaving and to almost nothing after it (usage falls before churn: Ascarza & Hardie 2013).
//!   This is what a sequence model can learn beyond recency and frequency. Browsing ends without an order, often with
//!   something left in the cart; online orders are made in visits of their own, known when the order is.
//! - **Campaigns.** One a month, to a random half of those who agreed to its channel: independent of behaviour, so each is
//!   an experiment whose other half is the holdout, and its effect is what follows it. A customer's class (1, 1.6 or 2.5 times the rate for 14 days) also shows in opens,
//!   clicks and in orders that name the campaign, which then get 10 % off.
//! - **What is bought.** Twelve taste profiles over twelve categories, Zipf popularity in a category; an order's main
//!   (and largest) product comes from taste or follows from the last order's (a personalised Markov chain: Rendle,
//!   Freudenthaler & Schmidt-Thieme 2010); further lines are accessories or taste. Views follow taste.
//! - **Returns and cancellations** are orders of their own with negative quantities, days after the one they reverse.
//! - **Two clocks.** Orders and events have a time at which the shop knew them: mostly minutes later, 1 % days later.
//!   What is not known by the end is not exported; what is not known at the cut-off is not used by the attainable
//!   truth, which thins the processes by the probability of being known (exact).
//! - **What brought a customer**: advertising on three channels that costs so much a month, another customer, or nothing
//!   known; whoever comes is alike.
//! - **What customers say** (scores and texts in English and Chinese) and **a loyalty programme** follow from orders, from
//!   what became of them and from chance. Neither they nor what brought a customer nor visits that end in an order tell
//!   anything of who will leave that the orders do not tell, so that the attainable truth needs none of them.
//! - **Dirt**: repeated rows, blank emails, dates no calendar has, odd case, padding, lines of quantity 0, orders
//!   without a customer.
//!
//! [`Kind::ParetoNbd`] is the control: exactly Pareto/NBD with CDNOW's parameters and Gamma-Gamma spend (Fader, Hardie
//! & Lee 2005), one line per order, its unit price the order's amount, and nothing else. No model can beat a BTYD
//! model there.
//!
//! # Files
//!
//! `customers.csv`, `products.csv`, `campaigns.csv`, `consents.csv`, `orders/orders-YYYY-MM.csv`, `orders/late.csv`
//! (rows that arrived a day or more after the order), `order_lines.parquet`, `events.parquet`, `touches.parquet`,
//! `assignments.parquet` (of every campaign, who could be sent it: those `sent` it and the `holdout`), `feedback.parquet`,
//! `loyalty.parquet`, `referrals.parquet`, and `truth/latent.parquet`,
//! `truth/increments.parquet`, `truth/attainable.parquet`, `truth/attainable_next.parquet`. A line's net amount is
//! `quantity * unit_price - discount`; an order's is the sum of its lines, whose discounts its own `discount` repeats.
//! `attainable_next` is conditional on an order in the horizon.
//!
//! `increments` has for each assignment what being sent the campaign changes in its 14 days, expected: orders
//! (`effect_orders`), the chance of any (`effect_bought`) and their net amount before returns (`effect_value`). What a
//! campaign caused is the sum over those it was `sent` to; of the `holdout` the same columns say what it would have.

mod acquisition;
mod block;
mod catalogue;
mod checkout;
mod clock;
mod config;
mod customer;
mod draw;
mod error;
mod feedback;
mod files;
mod increments;
mod loyalty;
mod outlook;
mod parameters;
mod people;
mod posterior;
mod read;
mod shop;
mod tables;
mod truth;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::block::Block;
use crate::files::{Files, Staging};
use crate::outlook::Outlook;
use crate::shop::Shop;

pub use crate::config::{Config, Kind};
pub use crate::error::{Error, Result};
pub use crate::read::{AttainableTruth, CustomerTruth, read_attainable};

/// What [`write()`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Rows per file, by its path in the folder; headers not counted.
    pub rows: BTreeMap<String, u64>,
    /// Folder of the latent and the attainable truth.
    pub truth: PathBuf,
}

/// Simulates the shop into the folder `out`, which must not exist or be empty, and calls `progress` with the number of
/// customers done. Customers are simulated in parallel and streamed; the bytes do not depend on the number of threads.
///
/// # Errors
/// [`Error::Setting`] for a configuration that can not be simulated, [`Error::OutputNotEmpty`] and
/// [`Error::OutputNotAFolder`] for a bad `out`, [`Error::Write`] and [`Error::Parquet`] when the disk fails; `out` is
/// then as it was.
pub fn write(config: &Config, out: &Path, progress: impl Fn(u64) + Sync) -> Result<Report> {
    let shop = Shop::new(config)?;
    let outlook = Outlook::new(&shop);
    let staging = Staging::beside(out)?;
    let mut files = Files::create(&shop, &staging)?;
    let mut waiting: Vec<Block> = Vec::new();
    for first in (0..shop.customers).step_by(WAVE) {
        // Rows of the last wave are written while this one is simulated.
        let wave = first..shop.customers.min(first + WAVE as u64);
        let (next, written) = rayon::join(
            || simulate(&shop, &outlook, wave),
            || std::mem::take(&mut waiting).into_iter().try_for_each(|block| files.append(block)),
        );
        written?;
        waiting = next;
        progress(first);
    }
    waiting.into_iter().try_for_each(|block| files.append(block))?;
    let rows = files.close()?;
    let folder = staging.publish()?;
    progress(shop.customers);
    Ok(Report { rows, truth: folder.join("truth") })
}

/// Customers per block of rows, and per wave of blocks held in memory at once.
const BLOCK: usize = 128;
const WAVE: usize = 16 * BLOCK;

fn simulate(shop: &Shop, outlook: &Outlook, customers: std::ops::Range<u64>) -> Vec<Block> {
    let starts: Vec<u64> = customers.clone().step_by(BLOCK).collect();
    starts
        .into_par_iter()
        .map(|first| Block::simulate(shop, outlook, first..customers.end.min(first + BLOCK as u64)))
        .collect()
}
