//! A number per day, week or month: what it will be, how sure that is, and when it was not as it should have been. A series
//! has every step from its first to its last: a step that is missing is an error that names it, for only the caller knows
//! whether it means 0 or unknown. Each series picks its own model (`choose`), so that thousands of segments need no
//! hand; a baseline is always among the candidates.

mod anomalies;
mod calendar;
mod choose;
mod ets;
mod fit;
mod model;
mod naive;
mod simplex;

use rayon::prelude::*;

use crate::distributions::normal_quantile;
use crate::error::{Error, Result, same_length, valid_level};

pub use anomalies::{AnomalySettings, Scored, Watch, anomalies};
pub(crate) use calendar::Date;
pub use calendar::Every;
pub use choose::Trial;
pub use ets::{Ets, Form, Smoothing, State, Trend};
pub use model::{Method, Spread};

/// Values at even steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    every: Every,
    first: i32,
    values: Vec<f64>,
}

/// What to forecast and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForecastSettings {
    /// Steps ahead, 1 to 10,000.
    pub horizon: usize,
    /// Steps in a season; `None` for the calendar's (`Every::season`), 1 for none.
    pub season: Option<usize>,
    /// Coverage of the intervals.
    pub level: f64,
    /// From how many of the last steps each model forecasts the rest, to choose between them.
    pub origins: usize,
}

impl Default for ForecastSettings {
    fn default() -> Self {
        Self { horizon: 12, season: None, level: 0.95, origins: 6 }
    }
}

/// A step ahead and its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ahead {
    pub day: i32,
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// The forecast of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    pub method: Method,
    /// The baseline first; empty for a series too short to hold anything back.
    pub trials: Vec<Trial>,
    pub ahead: Vec<Ahead>,
}

const MOST_STEPS: usize = 10_000;

impl Series {
    /// From days since 1970-01-01 (of weeks any one weekday, of months the first), in any order, and their values. Fails
    /// for fewer than two steps, a step that is missing or there twice, a day between two steps, and a value that is not
    /// finite or above 1e100 in size.
    pub fn new(every: Every, days: &[i32], values: &[f64]) -> Result<Self> {
        same_length("values", days.len(), values.len())?;
        ets::check(values)?;
        if days.len() < 2 {
            return Err(Error::Length { what: "the series", expected: 2, found: days.len() });
        }
        let mut rows: Vec<usize> = (0..days.len()).collect();
        rows.sort_by_key(|&row| days[row]);
        let first = days[rows[0]];
        if let Some((day, why)) = rows.iter().find_map(|&row| Some((days[row], every.missed(first, days[row])?))) {
            return Err(Error::Step { day, why });
        }
        for (step, &row) in rows.iter().enumerate() {
            let day = every.later(first, step);
            if days[row] < day {
                return Err(Error::Step { day: days[row], why: "the step has two rows; sum them first" });
            }
            if days[row] > day {
                let why = "the step has no row; each from the first to the last needs one (0 where nothing happened)";
                return Err(Error::Step { day, why });
            }
        }
        Ok(Self { every, first, values: rows.iter().map(|&row| values[row]).collect() })
    }

    /// One series for each segment 0, 1, … of the rows. Errors name the segment.
    pub fn by_segment(every: Every, segments: &[usize], days: &[i32], values: &[f64]) -> Result<Vec<Self>> {
        same_length("segments", days.len(), segments.len())?;
        same_length("values", days.len(), values.len())?;
        let mut rows: Vec<usize> = (0..days.len()).collect();
        rows.sort_by_key(|&row| segments[row]);
        let mut series = vec![];
        for rows in rows.chunk_by(|&a, &b| segments[a] == segments[b]) {
            let segment = segments[rows[0]];
            let here = |error| Error::Segment { segment, error: Box::new(error) };
            if segment > series.len() {
                return Err(Error::Segment {
                    segment: series.len(),
                    error: Box::new(Error::Empty { what: "the series" }),
                });
            }
            let days: Vec<i32> = rows.iter().map(|&row| days[row]).collect();
            let values: Vec<f64> = rows.iter().map(|&row| values[row]).collect();
            series.push(Self::new(every, &days, &values).map_err(here)?);
        }
        Ok(series)
    }

    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Of a step, which may lie ahead.
    pub fn day(&self, step: usize) -> i32 {
        self.every.later(self.first, step)
    }
}

/// The next steps of each series, in their order, by the model that forecast its last values best. Intervals are those of
/// the model, normal; they know nothing of the choice between models nor of the doubt about its parameters.
pub fn forecast(series: &[Series], settings: &ForecastSettings) -> Result<Vec<Outlook>> {
    let ForecastSettings { horizon, season, level, origins } = *settings;
    valid_level(level)?;
    if !(1..=MOST_STEPS).contains(&horizon) {
        return Err(Error::Setting { name: "horizon", value: horizon as f64, valid: "1 to 10000" });
    }
    if season == Some(0) {
        return Err(Error::Setting { name: "season", value: 0.0, valid: "1 for none, or more" });
    }
    let width = -normal_quantile((1.0 - level) / 2.0);
    let one = |series: &Series| {
        let season = season.unwrap_or(series.every.season());
        let candidates = |values| Method::candidates(values, season);
        let choice = choose::choose(&series.values, candidates, horizon, origins);
        let ahead = choice.model.ahead(horizon).into_iter().enumerate().map(|(i, Spread { mean, deviation })| Ahead {
            day: series.day(series.values.len() + i),
            mean,
            low: mean - width * deviation,
            high: mean + width * deviation,
        });
        Outlook { method: choice.method, ahead: ahead.collect(), trials: choice.trials }
    };
    Ok(series.par_iter().map(one).collect())
}
