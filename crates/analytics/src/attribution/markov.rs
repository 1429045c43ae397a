//! Paths as a Markov chain whose states are the last few touches (Anderl, Becker, von Wangenheim & Schumann, Mapping the
//! customer journey, 2016). A channel's removal effect is the share of conversions that pass through it in the chain.
//! As in the R package ChannelAttribution, a path shorter than the order is one state of its own.

use std::collections::HashMap;

use rayon::prelude::*;

use super::absorbing::Chain;
use super::{Checked, Credit, Paths};
use crate::error::{Error, Result};

/// A place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    Start,
    /// The last channels touched, at most as many as the order, the latest last.
    Touches(Vec<u32>),
    Conversion,
    Null,
}

/// One entry of the transition matrix; entries that are 0 are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    pub from: State,
    pub to: State,
    pub probability: f64,
}

/// The share of conversions and of value that would be lost if every path ended where it comes to the channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RemovalEffect {
    pub channel: u32,
    pub conversions: f64,
    pub value: f64,
}

/// The transition matrix of `order` 1 to 3, ordered by `from` and `to`. Paths that never happened (no conversion, no null)
/// do not count. Fails like `attribute`.
pub fn transitions(paths: &Paths<'_>, order: usize) -> Result<Vec<Transition>> {
    let checked = Checked::new(paths)?;
    let counts = Counts::new(&checked, order)?;
    let state = |s: u32| State::Touches(touched(counts.states[s as usize]).map(|c| checked.channels[c]).collect());
    let start = |(&to, &count): (&u32, &f64)| (State::Start, state(to), count / counts.paths);
    let inner = |(&(from, to), &count): (&(u32, u32), &f64)| (state(from), state(to), count / counts.total(from));
    let end = |(from, end): (usize, &End)| {
        let (from, total) = (from as u32, counts.total(from as u32));
        let ends = [(State::Conversion, end.conversions / total), (State::Null, end.nulls / total)];
        ends.map(|(to, probability)| (state(from), to, probability))
    };
    let all = counts.starts.iter().map(start).chain(counts.moves.iter().map(inner));
    let mut all: Vec<_> = all.chain(counts.ends.iter().enumerate().flat_map(end)).collect();
    all.retain(|(_, _, probability)| *probability > 0.0);
    all.sort_unstable_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    Ok(all.into_iter().map(|(from, to, probability)| Transition { from, to, probability }).collect())
}

/// Removal effects of every channel that occurs, by ascending channel, each between 0 and 1; all 0 without a conversion.
/// A conversion is worth the mean of those that end in the same state. Fails like `attribute`, and for chains that
/// circle for so long that they cannot be solved.
pub fn removal_effects(paths: &Paths<'_>, order: usize) -> Result<Vec<RemovalEffect>> {
    effects(&Checked::new(paths)?, order)
}

pub(super) fn credits(checked: &Checked<'_>, order: usize) -> Result<Vec<Credit>> {
    let effects = effects(checked, order)?;
    let per_effect = |sum: f64, total: f64| if sum > 0.0 { total / sum } else { 0.0 };
    let conversions = per_effect(effects.iter().map(|e| e.conversions).sum(), checked.paths.conversions.iter().sum());
    let value = per_effect(effects.iter().map(|e| e.value).sum(), checked.paths.values.iter().sum());
    Ok(checked.credits(|c| (effects[c].conversions * conversions, effects[c].value * value)))
}

fn effects(checked: &Checked<'_>, order: usize) -> Result<Vec<RemovalEffect>> {
    let counts = Counts::new(checked, order)?;
    let chain = counts.chain();
    let all = chain.expected(|_| false)?;
    let lost = |left: f64, all: f64| if all > 0.0 { (1.0 - left / all).clamp(0.0, 1.0) } else { 0.0 };
    let effect = |(number, &channel): (usize, &u32)| {
        let (conversions, value) = chain.expected(|state| touched(counts.states[state]).any(|c| c == number))?;
        Ok(RemovalEffect { channel, conversions: lost(conversions, all.0), value: lost(value, all.1) })
    };
    checked.channels.par_iter().enumerate().map(effect).collect()
}

/// The longest memory of a chain.
const LONGEST: usize = 3;
/// No touch: fills the states of paths shorter than the longest memory.
const NONE: u32 = u32::MAX;

type Touches = [u32; LONGEST];

fn touched(state: Touches) -> impl Iterator<Item = usize> {
    state.into_iter().filter(|&c| c != NONE).map(|c| c as usize)
}

#[derive(Clone, Copy, Default)]
struct End {
    conversions: f64,
    value: f64,
    nulls: f64,
}

/// How often paths started in, moved between and ended in each state.
struct Counts {
    /// In the order in which the paths come to them.
    states: Vec<Touches>,
    starts: HashMap<u32, f64>,
    moves: HashMap<(u32, u32), f64>,
    ends: Vec<End>,
    /// How often each state was moved out of.
    moved: Vec<f64>,
    paths: f64,
}

impl Counts {
    fn new(checked: &Checked<'_>, order: usize) -> Result<Self> {
        if !(1..=LONGEST).contains(&order) {
            return Err(Error::Setting { name: "order", value: order as f64, valid: "1, 2 or 3" });
        }
        let (states, starts, moves) = Default::default();
        let mut counts = Self { states, starts, moves, ends: vec![], moved: vec![], paths: 0.0 };
        let mut numbers = HashMap::new();
        for p in 0..checked.len() {
            let (conversions, nulls) = (checked.paths.conversions[p], checked.paths.nulls[p]);
            let weight = conversions + nulls;
            if weight == 0.0 {
                continue;
            }
            counts.paths += weight;
            let mut before = None;
            for window in checked.path(p).windows(order.min(checked.path(p).len())) {
                let mut touches = [NONE; LONGEST];
                touches[..window.len()].copy_from_slice(window);
                let state = *numbers.entry(touches).or_insert_with(|| counts.push(touches));
                match before.replace(state) {
                    Some(from) => {
                        *counts.moves.entry((from, state)).or_default() += weight;
                        counts.moved[from as usize] += weight;
                    }
                    None => *counts.starts.entry(state).or_default() += weight,
                }
            }
            let Some(last) = before else { continue };
            let end = &mut counts.ends[last as usize];
            end.conversions += conversions;
            end.value += checked.paths.values[p];
            end.nulls += nulls;
        }
        Ok(counts)
    }

    fn push(&mut self, touches: Touches) -> u32 {
        self.states.push(touches);
        self.ends.push(End::default());
        self.moved.push(0.0);
        self.states.len() as u32 - 1
    }

    fn total(&self, state: u32) -> f64 {
        let end = self.ends[state as usize];
        self.moved[state as usize] + end.conversions + end.nulls
    }

    fn chain(&self) -> Chain {
        let states = self.states.len();
        let mut moves: Vec<(u32, u32, f64)> =
            self.moves.iter().map(|(&(from, to), &count)| (from, to, count)).collect();
        moves.sort_unstable_by_key(|&(from, to, _)| (from, to));
        moves.retain(|(from, to, _)| from != to);
        let mut leave: Vec<f64> = self.ends.iter().map(|end| end.conversions + end.nulls).collect();
        moves.iter().for_each(|&(from, _, count)| leave[from as usize] += count);
        let mut starts: Vec<(u32, f64)> = self.starts.iter().map(|(&to, &count)| (to, count / self.paths)).collect();
        starts.sort_unstable_by_key(|&(to, _)| to);
        let share = |state: usize, count: f64| count / self.total(state as u32);
        let per_path = |end: &End| if end.value > 0.0 { end.value / (end.conversions + end.nulls) } else { 0.0 };
        Chain {
            offsets: (0..=states).map(|s| moves.partition_point(|&(from, _, _)| (from as usize) < s)).collect(),
            moves: moves.iter().map(|&(from, to, count)| (to, share(from as usize, count))).collect(),
            leave: leave.iter().enumerate().map(|(s, &count)| share(s, count)).collect(),
            earned: self.ends.iter().enumerate().map(|(s, e)| (share(s, e.conversions), share(s, e.value))).collect(),
            starts,
            most_value: self.ends.iter().map(per_path).fold(0.0, f64::max),
        }
    }
}
