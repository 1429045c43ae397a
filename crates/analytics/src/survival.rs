//! How long until something happens, when for some it has not happened yet: the Kaplan-Meier estimate of the share still
//! without it, and the logrank test of whether two groups differ. A time whose event was not seen (censored) counts as at
//! risk up to and at that time, after the events of the same time.

use crate::distributions::{chi_square_tail, normal_quantile};
use crate::error::{Error, Result, all_finite, all_within, not_empty, same_length, valid_level};

/// What happened at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    pub time: f64,
    /// Just before.
    pub at_risk: u64,
    pub events: u64,
    pub censored: u64,
    /// Share without the event, just after.
    pub survival: f64,
    pub low: f64,
    pub high: f64,
}

/// A Kaplan-Meier curve: 1 before the first step, then that of the last step passed.
#[derive(Debug, Clone, PartialEq)]
pub struct Survival {
    /// One for each distinct time, ascending.
    pub steps: Vec<Step>,
    /// The first time at which the share is a half or less; `None` if it never is.
    pub median: Option<f64>,
}

/// The test of no difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogRank {
    /// Chi-square with one degree of freedom.
    pub statistic: f64,
    pub p_value: f64,
    /// Events of the first and the second group.
    pub observed: [u64; 2],
    /// If the groups did not differ.
    pub expected: [f64; 2],
}

/// A share off a half by rounding alone is a half.
const ROUNDING: f64 = 1e-12;

/// `durations` are 0 or more, in one unit; `is_observed` says that a duration ended with the event. Intervals of coverage
/// `level` are Greenwood's on the scale ln(−ln S), which keeps them within 0 and 1 (Kalbfleisch & Prentice, The Statistical
/// Analysis of Failure Time Data, 1.4); where the share is 1 or 0 both bounds are the share.
pub fn kaplan_meier(durations: &[f64], is_observed: &[bool], level: f64) -> Result<Survival> {
    check(durations, is_observed)?;
    valid_level(level)?;
    let z = -normal_quantile((1.0 - level) / 2.0);
    let (mut survival, mut greenwood, mut median) = (1.0, 0.0, None);
    let mut steps = vec![];
    for Counts { time, at_risk: [at_risk, _], events: [events, _], left: [left, _] } in
        counts(durations, is_observed, &vec![false; durations.len()])
    {
        let (d, n) = (events as f64, at_risk as f64);
        survival *= (n - d) / n;
        let (low, high) = if survival < 1.0 && survival > 0.0 {
            greenwood += d / (n * (n - d));
            let width = (z * f64::sqrt(greenwood) / f64::ln(survival)).abs();
            (survival.powf(width.exp()), survival.powf((-width).exp()))
        } else {
            (survival, survival)
        };
        if median.is_none() && survival <= 0.5 + ROUNDING {
            median = Some(time);
        }
        steps.push(Step { time, at_risk, events, censored: left - events, survival, low, high });
    }
    Ok(Survival { steps, median })
}

impl Survival {
    /// Share without the event just after `time`.
    pub fn at(&self, time: f64) -> f64 {
        match self.steps.partition_point(|step| step.time <= time) {
            0 => 1.0,
            passed => self.steps[passed - 1].survival,
        }
    }
}

/// The unweighted logrank test (Mantel 1966) with the hypergeometric variance. Fails for one group, and where the two never
/// share a time of risk at which some have the event and some have not.
pub fn log_rank(durations: &[f64], is_observed: &[bool], is_second: &[bool]) -> Result<LogRank> {
    check(durations, is_observed)?;
    same_length("groups", durations.len(), is_second.len())?;
    let (mut observed, mut expected, mut variance) = ([0, 0], [0.0, 0.0], 0.0);
    for Counts { at_risk, events, .. } in counts(durations, is_observed, is_second) {
        let (n, d) = ((at_risk[0] + at_risk[1]) as f64, (events[0] + events[1]) as f64);
        for group in 0..2 {
            observed[group] += events[group];
            expected[group] += d * at_risk[group] as f64 / n;
        }
        if n > 1.0 {
            variance += at_risk[0] as f64 / n * (at_risk[1] as f64 / n) * d * (n - d) / (n - 1.0);
        }
    }
    if variance <= 0.0 {
        let why = "at no time were both groups at risk with some having the event and some not";
        return Err(Error::Undefined { metric: "the logrank test", why });
    }
    let statistic = (observed[0] as f64 - expected[0]).powi(2) / variance;
    Ok(LogRank { statistic, p_value: chi_square_tail(statistic, 1.0), observed, expected })
}

/// At one time, of the first and the second group.
struct Counts {
    time: f64,
    at_risk: [u64; 2],
    events: [u64; 2],
    /// With the event or without.
    left: [u64; 2],
}

fn counts(durations: &[f64], is_observed: &[bool], is_second: &[bool]) -> Vec<Counts> {
    let mut rows: Vec<usize> = (0..durations.len()).collect();
    rows.sort_by(|&a, &b| durations[a].total_cmp(&durations[b]));
    let mut at_risk = [0, 0];
    is_second.iter().for_each(|&second| at_risk[usize::from(second)] += 1);
    // By value, not by bits: 0 and −0 are one time.
    let same = rows.chunk_by(|&a, &b| durations[a] == durations[b]);
    same.map(|rows| {
        let mut counts = Counts { time: durations[rows[0]], at_risk, events: [0, 0], left: [0, 0] };
        for &row in rows {
            let group = usize::from(is_second[row]);
            counts.left[group] += 1;
            counts.events[group] += u64::from(is_observed[row]);
        }
        (0..2).for_each(|group| at_risk[group] -= counts.left[group]);
        counts
    })
    .collect()
}

fn check(durations: &[f64], is_observed: &[bool]) -> Result<()> {
    not_empty("durations", durations.len())?;
    same_length("observed", durations.len(), is_observed.len())?;
    all_finite("duration", durations)?;
    all_within("duration", durations, 0.0..=f64::MAX, "0 or more")
}
