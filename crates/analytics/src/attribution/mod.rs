//! Which channel earned a conversion. A path is the channels that a customer touched, in order, with how often it ended
//! in a conversion, what those were worth, and how often it ended in nothing; `attribute` shares the conversions and
//! their value out among the channels. Every model shares out exactly what the paths hold, so that two models differ in
//! who gets it and never in how much there is: models are computed in closed form, not simulated.

mod absorbing;
mod heuristic;
mod markov;
mod shapley;

use std::ops::RangeInclusive;

use crate::error::{Error, Result, same_length};

pub use markov::{RemovalEffect, State, Transition, removal_effects, transitions};
pub use shapley::Worth;

/// Paths, all touches in one row. No paths at all are valid, and earn nobody anything.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Paths<'a> {
    /// Path `p` is `channels[offsets[p]..offsets[p + 1]]`, at least one touch, the earliest first.
    pub offsets: &'a [usize],
    pub channels: &'a [u32],
    /// Day of each touch from any origin, ascending within a path; only time decay needs it. Empty where not known.
    pub times: &'a [f64],
    /// How often each path ended in a conversion.
    pub conversions: &'a [f64],
    /// What those conversions were worth together; 0 for a path that has none.
    pub values: &'a [f64],
    /// How often each path ended without a conversion; only Markov and Shapley by rate look at it.
    pub nulls: &'a [f64],
}

/// Who gets what of a path's conversions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Model {
    /// All to the first touch.
    First,
    /// All to the last touch.
    Last,
    /// The same to each touch.
    Linear,
    /// A touch weighs half as much as one `half_life` days later.
    TimeDecay { half_life: f64 },
    /// Fixed shares to the first and the last touch, the rest evenly to those between; of two touches, each also gets
    /// half of that rest.
    Position { first: f64, last: f64 },
    /// In proportion to removal effects (see `removal_effects`), states being the last `order` touches, 1 to 3.
    Markov { order: usize },
    /// Shapley values of the channels of each path, among the coalitions that were observed.
    Shapley { worth: Worth },
}

/// Every model, at its usual settings.
pub const MODELS: [(&str, Model); 7] = [
    ("first", Model::First),
    ("last", Model::Last),
    ("linear", Model::Linear),
    ("time_decay", Model::TimeDecay { half_life: 7.0 }),
    ("position", Model::Position { first: 0.4, last: 0.4 }),
    ("markov", Model::Markov { order: 1 }),
    ("shapley", Model::Shapley { worth: Worth::Rate }),
];

/// What one channel earned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Credit {
    pub channel: u32,
    pub conversions: f64,
    pub value: f64,
}

/// Credits of every channel that occurs, by ascending channel. They add up to all conversions and to all value, up to
/// rounding; without a conversion they are all 0. Fails for a path without touches, for counts and values below 0 or
/// not finite, and for value without a conversion, naming the path.
pub fn attribute(paths: &Paths<'_>, model: Model) -> Result<Vec<Credit>> {
    let checked = Checked::new(paths)?;
    match model {
        Model::Markov { order } => markov::credits(&checked, order),
        Model::Shapley { worth } => shapley::credits(&checked, worth),
        _ => heuristic::credits(&checked, model),
    }
}

/// What one path may count for, if anything: sums over any number of paths, and ratios of two, stay finite.
const COUNTS: RangeInclusive<f64> = 1e-9..=1e15;

/// Paths that hold together, their channels numbered from 0 in ascending order.
struct Checked<'a> {
    paths: &'a Paths<'a>,
    channels: Vec<u32>,
    /// The number of each touch's channel.
    touches: Vec<u32>,
}

impl<'a> Checked<'a> {
    fn new(paths: &'a Paths<'a>) -> Result<Self> {
        let Paths { offsets, channels, times: _, conversions, values, nulls } = *paths;
        check_offsets(offsets, channels.len(), conversions.len())?;
        same_length("values", conversions.len(), values.len())?;
        same_length("null paths", conversions.len(), nulls.len())?;
        for (what, counts) in [("conversions", conversions), ("value", values), ("null paths", nulls)] {
            if let Some(row) = counts.iter().position(|c| *c != 0.0 && !COUNTS.contains(c)) {
                return Err(Error::Value { what, row, value: counts[row], valid: "0, or between 1e-9 and 1e15" });
            }
        }
        if let Some(row) = (0..values.len()).find(|&p| conversions[p] == 0.0 && values[p] > 0.0) {
            let valid = "0 for a path without conversions";
            return Err(Error::Value { what: "value", row, value: values[row], valid });
        }
        let mut distinct = channels.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let number = |channel| distinct.partition_point(|c| c < channel) as u32;
        let touches = channels.iter().map(number).collect();
        Ok(Self { paths, channels: distinct, touches })
    }

    fn len(&self) -> usize {
        self.paths.conversions.len()
    }

    fn path(&self, p: usize) -> &[u32] {
        &self.touches[self.paths.offsets[p]..self.paths.offsets[p + 1]]
    }

    fn credits(&self, of: impl Fn(usize) -> (f64, f64)) -> Vec<Credit> {
        let credit = |(number, &channel): (usize, &u32)| {
            let (conversions, value) = of(number);
            Credit { channel, conversions, value }
        };
        self.channels.iter().enumerate().map(credit).collect()
    }
}

fn check_offsets(offsets: &[usize], touches: usize, paths: usize) -> Result<()> {
    if offsets.is_empty() {
        same_length("conversions", 0, paths)?;
        return same_length("channels", 0, touches);
    }
    same_length("conversions", offsets.len() - 1, paths)?;
    if offsets[0] != 0 {
        return Err(Error::Value { what: "offset", row: 0, value: offsets[0] as f64, valid: "0 for the first" });
    }
    if let Some(row) = offsets.windows(2).position(|pair| pair[1] <= pair[0]) {
        let value = offsets[row + 1] as f64 - offsets[row] as f64;
        return Err(Error::Value { what: "number of touches", row, value, valid: "1 or more" });
    }
    same_length("channels", offsets[offsets.len() - 1], touches)
}
