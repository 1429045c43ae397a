//! Shapley values of channels, a path being the set of its channels. The paths with one set play a game of their own: a
//! coalition is worth what the paths with exactly its channels converted, and the conversions of the set are shared out
//! in proportion to the Shapley values (as in marketing-attribution-models). A coalition that was never observed is
//! worth 0, so only those observed are added up, and the values are exact for sets of any size.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{Checked, Credit};
use crate::error::{Error, Result};

/// What a coalition of channels is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// Its conversions.
    Conversions,
    /// Its conversions per path. A channel that lowers the rate of its companions earns less than 0.
    Rate,
}

/// A set is a word of as many bits.
const MOST_CHANNELS: usize = 128;

#[derive(Default)]
struct Tally {
    conversions: f64,
    value: f64,
    paths: f64,
}

pub(super) fn credits(checked: &Checked<'_>, worth: Worth) -> Result<Vec<Credit>> {
    if checked.channels.len() > MOST_CHANNELS {
        let what = "Shapley attribution";
        return Err(Error::TooMany { what, things: "channels", found: checked.channels.len(), most: MOST_CHANNELS });
    }
    let mut tallies: BTreeMap<u128, Tally> = BTreeMap::new();
    for p in 0..checked.len() {
        let set = checked.path(p).iter().fold(0, |set, &channel| set | 1 << channel);
        let (conversions, nulls) = (checked.paths.conversions[p], checked.paths.nulls[p]);
        let tally = tallies.entry(set).or_default();
        tally.conversions += conversions;
        tally.value += checked.paths.values[p];
        tally.paths += conversions + nulls;
    }
    tallies.retain(|_, tally| tally.conversions > 0.0);
    let worth = |tally: &Tally| match worth {
        Worth::Conversions => tally.conversions,
        Worth::Rate => tally.conversions / tally.paths,
    };
    let game = Game(tallies.iter().map(|(&set, tally)| (set, worth(tally))).collect());
    let sets: Vec<(&u128, &Tally)> = tallies.iter().collect();
    let shares: Vec<Vec<f64>> = sets.par_iter().map(|(set, tally)| game.shares(**set, worth(tally))).collect();
    let mut earned = vec![(0.0, 0.0); checked.channels.len()];
    for ((set, tally), shares) in sets.iter().zip(&shares) {
        for (channel, share) in members(**set).zip(shares) {
            let earned = &mut earned[channel];
            *earned = (earned.0 + tally.conversions * share, earned.1 + tally.value * share);
        }
    }
    Ok(checked.credits(|channel| earned[channel]))
}

/// Every coalition that was observed to convert, ascending, with its worth.
struct Game(Vec<(u128, f64)>);

impl Game {
    /// Shapley values of the members of a set as shares of what it is worth: they add up to 1.
    fn shares(&self, set: u128, worth: f64) -> Vec<f64> {
        let size = set.count_ones();
        let mut values = vec![0.0; size as usize];
        let mut add = |coalition: u128, worth: f64| {
            let inside = coalition.count_ones();
            let (with, without) = (worth / orders(size, inside - 1), worth / orders(size, inside));
            for (value, channel) in values.iter_mut().zip(members(set)) {
                *value += if coalition >> channel & 1 == 1 { with } else { -without };
            }
        };
        if size < 64 && 1 << size <= self.0.len() as u64 {
            let mut coalition = set;
            while coalition > 0 {
                if let Ok(at) = self.0.binary_search_by_key(&coalition, |&(set, _)| set) {
                    add(coalition, self.0[at].1);
                }
                coalition = (coalition - 1) & set;
            }
        } else {
            self.0.iter().filter(|(coalition, _)| coalition & !set == 0).for_each(|&(c, worth)| add(c, worth));
        }
        // What rounding took from the sum, which is the set's worth, is given back evenly.
        let rest = (worth - values.iter().sum::<f64>()) / f64::from(size);
        values.iter_mut().for_each(|value| *value = (*value + rest) / worth);
        values
    }
}

fn members(set: u128) -> impl Iterator<Item = usize> {
    (0..MOST_CHANNELS).filter(move |channel| set >> channel & 1 == 1)
}

/// One over the share of all orders of `size` players in which a player comes right after `before` given others:
/// size · C(size − 1, before).
fn orders(size: u32, before: u32) -> f64 {
    (0..before).fold(f64::from(size), |product, k| product * f64::from(size - 1 - k) / f64::from(k + 1))
}
