//! What advertising sold: sales per week as a sum of controls and, for each channel, an effect of its spend that lasts
//! (adstock) and wears off (saturation). Effects are 0 or more: with spend that rises and falls together, least squares
//! would pay for one channel's success with another's harm. How the spend works is searched on a grid, again for every
//! resample, so that the intervals know that it was not known.

mod design;
mod non_negative;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::bootstrap::{Bootstrap, Interval, quantile};
use crate::error::{Error, IN_BOUNDS, LARGEST, Result, all_in_bounds, not_empty, positive, same_length, valid_level};
use design::{Design, Fit};

/// What a further unit of carried-over spend `a` still does; `scale` is searched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Saturation {
    /// a: as much as the first.
    None,
    /// ln(1 + a / scale): less and less, without an end.
    Log,
    /// 1 / (1 + (scale / a)^slope): half of the most there is at `scale`; S-shaped for a slope above 1.
    Hill { slope: f64 },
}

/// What happened, one row a week, in order and without gaps; tables are row-major.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weeks<'a> {
    pub sales: &'a [f64],
    /// One column a channel, 0 or more.
    pub spend: &'a [f64],
    pub channels: usize,
    /// What else moves sales, as columns: trend, season dummies, price, holidays. Empty for none.
    pub controls: &'a [f64],
}

/// How to fit.
#[derive(Debug, Clone, PartialEq)]
pub struct MixSettings {
    pub saturation: Saturation,
    /// Candidates of the share of its effect that spend keeps a week later: a(t) = spend(t) + rate · a(t − 1).
    pub rates: Vec<f64>,
    /// Candidates of the saturation's scale, in mean weekly spends of the channel.
    pub scales: Vec<f64>,
    /// Ridge on the channels' standardised columns, above 0.
    pub l2: f64,
    pub bootstrap: Bootstrap,
    /// Weeks that are resampled together, for errors that last.
    pub block: usize,
}

impl Default for MixSettings {
    fn default() -> Self {
        Self {
            saturation: Saturation::Log,
            rates: (0..10).map(|tenth| f64::from(tenth) / 10.0).collect(),
            scales: vec![0.5, 1.0, 2.0, 4.0],
            l2: 1.0,
            bootstrap: Bootstrap { replicates: 400, ..Bootstrap::default() },
            block: 4,
        }
    }
}

/// What one channel did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Channel {
    /// Of the adstock.
    pub rate: f64,
    /// Of the saturation, in the unit of spend; of no meaning without one.
    pub scale: f64,
    /// Sales per unit of saturated spend.
    pub coefficient: f64,
    pub spend: f64,
    /// Sales in these weeks that would not have been without the channel's spend in them.
    pub contribution: Interval,
    /// Contribution per unit of spend.
    pub roi: Interval,
}

/// A fitted mix.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix {
    pub channels: Vec<Channel>,
    /// Sales without any channel.
    pub baseline: f64,
    /// Sales of each week by the model.
    pub fitted: Vec<f64>,
    /// Share of the variance of sales that the model explains.
    pub r_squared: f64,
}

const MOST_COLUMNS: usize = 4000;
/// Spend below this is none.
const SMALLEST: f64 = 1e-100;

/// Fits the mix, and its intervals by a bootstrap of blocks of residuals. Fails for numbers that are not finite or too
/// large, for spend below 0, for a channel without spend, and for too few weeks for what is to be found.
pub fn marketing_mix(weeks: &Weeks, settings: &MixSettings) -> Result<Mix> {
    check_weeks(weeks)?;
    check_settings(weeks, settings)?;
    let design = Design::new(weeks, settings);
    let best = design.search(weeks.sales, None);
    let fitted = design.fitted(weeks.sales, &best);
    let replicates = resample(weeks, settings, &design, &best, &fitted);
    let tail = (1.0 - settings.bootstrap.level) / 2.0;
    let estimates = contributions(&design, &best);
    let channel = |c: usize| {
        let contribution =
            interval(estimates[c], replicates.iter().map(|contributions| contributions[c]).collect(), tail);
        let spend: f64 = weeks.spend.iter().skip(c).step_by(weeks.channels).sum();
        let per_unit = |sales: f64| sales / spend;
        let roi = Interval {
            estimate: per_unit(estimates[c]),
            low: per_unit(contribution.low),
            high: per_unit(contribution.high),
        };
        let column = &design.columns[best.chosen[c]];
        let coefficient = best.weights[c] * column.inverse;
        Channel { rate: column.rate, scale: column.scale, coefficient, spend, contribution, roi }
    };
    let sales: f64 = weeks.sales.iter().sum();
    Ok(Mix {
        channels: (0..weeks.channels).map(channel).collect(),
        baseline: sales - estimates.iter().sum::<f64>(),
        r_squared: r_squared(weeks.sales, &fitted),
        fitted,
    })
}

impl Saturation {
    fn of(self, stock: f64, scale: f64) -> f64 {
        match self {
            Saturation::None => stock,
            Saturation::Log => (stock / scale).ln_1p(),
            Saturation::Hill { slope } => 1.0 / (1.0 + (scale / stock).powf(slope)),
        }
    }
}

impl Weeks<'_> {
    fn control_columns(&self) -> usize {
        self.controls.len() / self.sales.len()
    }
}

fn contributions(design: &Design, fit: &Fit) -> Vec<f64> {
    let one = |(&chosen, weight): (&usize, &f64)| weight * design.columns[chosen].inverse * design.columns[chosen].sum;
    fit.chosen.iter().zip(&fit.weights).map(one).collect()
}

/// Contributions of the channels to sales that are what was fitted plus residuals, drawn in blocks, of as many degrees of
/// freedom as errors have.
fn resample(weeks: &Weeks, settings: &MixSettings, design: &Design, best: &Fit, fitted: &[f64]) -> Vec<Vec<f64>> {
    let rows = weeks.sales.len();
    let free = (rows - Design::parameters(weeks, settings)) as f64;
    let inflation = (rows as f64 / free).sqrt();
    let residuals: Vec<f64> = weeks.sales.iter().zip(fitted).map(|(y, f)| (y - f) * inflation).collect();
    let one = |replicate: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(settings.bootstrap.seed);
        rng.set_stream(replicate as u64);
        let mut drawn = Vec::with_capacity(rows + settings.block);
        while drawn.len() < rows {
            let start = rng.random_range(0..=rows - settings.block);
            drawn.extend_from_slice(&residuals[start..start + settings.block]);
        }
        let sales: Vec<f64> = fitted.iter().zip(&drawn).map(|(f, e)| f + e).collect();
        contributions(design, &design.search(&sales, Some(&best.chosen)))
    };
    (0..settings.bootstrap.replicates).into_par_iter().map(one).collect()
}

/// The wider, on each side, of the percentile interval, which repeats the gain that a search finds in noise, and of the
/// basic one (Efron & Tibshirani 1993, chapter 13), which takes it back but shrinks to nothing for an estimate of 0.
fn interval(estimate: f64, mut drawn: Vec<f64>, tail: f64) -> Interval {
    drawn.sort_unstable_by(f64::total_cmp);
    let (low, high) = (quantile(&drawn, tail), quantile(&drawn, 1.0 - tail));
    Interval { estimate, low: low.min(2.0 * estimate - high).max(0.0), high: high.max(2.0 * estimate - low) }
}

/// 0 for sales that never change.
fn r_squared(sales: &[f64], fitted: &[f64]) -> f64 {
    let mean = sales.iter().sum::<f64>() / sales.len() as f64;
    let left: f64 = sales.iter().zip(fitted).map(|(y, f)| (y - f) * (y - f)).sum();
    let all: f64 = sales.iter().map(|y| (y - mean) * (y - mean)).sum();
    if all > 0.0 { 1.0 - left / all } else { 0.0 }
}

fn check_weeks(weeks: &Weeks) -> Result<()> {
    let Weeks { sales, spend, channels, controls } = *weeks;
    not_empty("sales", sales.len())?;
    not_empty("channels", channels)?;
    same_length("spend", sales.len() * channels, spend.len())?;
    same_length("controls", sales.len() * weeks.control_columns(), controls.len())?;
    all_in_bounds("sales", sales)?;
    let cell = |values: &[f64], columns: usize, least: f64, valid| match values
        .iter()
        .position(|v| !(least..=LARGEST).contains(v))
    {
        Some(i) => Err(Error::Cell { row: i / columns, column: i % columns, value: values[i], valid }),
        None => Ok(()),
    };
    cell(spend, channels, 0.0, "spend of 0 to 1e100")?;
    cell(controls, weeks.control_columns(), -LARGEST, IN_BOUNDS)?;
    let most = |channel: usize| spend.iter().skip(channel).step_by(channels).copied().fold(0.0, f64::max);
    match (0..channels).map(most).enumerate().find(|(_, most)| *most < SMALLEST) {
        Some((column, value)) => {
            Err(Error::Cell { row: 0, column, value, valid: "spend of 1e-100 in one week or more" })
        }
        None => Ok(()),
    }
}

fn check_settings(weeks: &Weeks, settings: &MixSettings) -> Result<()> {
    let MixSettings { saturation, rates, scales, l2, bootstrap, block } = settings;
    not_empty("rates", rates.len())?;
    not_empty("scales", scales.len())?;
    if let Some(&value) = rates.iter().find(|rate| !(0.0..1.0).contains(*rate)) {
        return Err(Error::Setting { name: "rates", value, valid: "from 0 to below 1" });
    }
    scales.iter().try_for_each(|&scale| positive("scales", scale))?;
    if let Saturation::Hill { slope } = *saturation {
        positive("slope", slope)?;
    }
    positive("l2", *l2)?;
    valid_level(bootstrap.level)?;
    positive("replicates", bootstrap.replicates as f64)?;
    let columns = weeks.channels * rates.len() * scales.len();
    if columns > MOST_COLUMNS {
        return Err(Error::TooMany { what: "the grid", things: "columns", found: columns, most: MOST_COLUMNS });
    }
    let (rows, needed) = (weeks.sales.len(), Design::parameters(weeks, settings) + 1);
    if rows < needed {
        return Err(Error::TooFew { what: "weeks", found: rows, needed });
    }
    match (1..=rows).contains(block) {
        true => Ok(()),
        false => Err(Error::Setting { name: "block", value: *block as f64, valid: "1 to the number of weeks" }),
    }
}
