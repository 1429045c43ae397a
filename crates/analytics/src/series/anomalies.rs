//! Steps of a series that are not as the steps before let expect. The yardstick is the median of the residuals' distances
//! from their median, which the anomalies themselves cannot stretch while they are fewer than half; a deviation would grow
//! with them and hide them (Iglewicz & Hoaglin, How to Detect and Handle Outliers, 1993). The baseline is not a candidate
//! where a series is long enough to be smoothed: it would see every anomaly again, a season later and the other way round.

use rayon::prelude::*;

use super::Series;
use super::choose::choose;
use super::model::Method;
use crate::error::{Error, Result, positive};

/// How to look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnomalySettings {
    /// Steps in a season; `None` for the calendar's (`Every::season`), 1 for none.
    pub season: Option<usize>,
    /// Score, above or below, from which a step is an anomaly.
    pub threshold: f64,
    /// Last steps on which models compete to forecast the next one.
    pub origins: usize,
}

impl Default for AnomalySettings {
    fn default() -> Self {
        Self { season: None, threshold: 3.5, origins: 12 }
    }
}

/// A step, and what was expected of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    pub day: i32,
    pub value: f64,
    /// One step before, by the model that forecasts the series best; its parameters know all steps.
    pub expected: f64,
    /// The residual's distance from the median residual in robust deviations (median absolute deviation · 1.4826, or mean
    /// absolute deviation · 1.2533 where more than half the residuals are the same); negative for a value that is low.
    pub score: f64,
    pub is_anomaly: bool,
}

/// The steps of a series for which something was expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    pub method: Method,
    /// All steps but, for the baseline of a short series, the first season. An anomaly that moved the level or the season can lend the steps
    /// that follow it a score of their own.
    pub steps: Vec<Scored>,
}

/// The anomalies of each series, in their order.
pub fn anomalies(series: &[Series], settings: &AnomalySettings) -> Result<Vec<Watch>> {
    let AnomalySettings { season, threshold, origins } = *settings;
    positive("threshold", threshold)?;
    if season == Some(0) {
        return Err(Error::Setting { name: "season", value: 0.0, valid: "1 for none, or more" });
    }
    let one = |series: &Series| {
        let season = season.unwrap_or(series.every.season());
        let candidates = |values| Method::smoothing_candidates(values, season);
        let choice = choose(&series.values, candidates, 1, origins);
        let residuals = choice.model.residuals();
        let first = series.values.len() - residuals.len();
        let steps =
            residuals.iter().zip(scores(residuals, &series.values)).enumerate().map(|(i, (residual, score))| {
                let value = series.values[first + i];
                let is_anomaly = score.abs() >= threshold;
                Scored { day: series.day(first + i), value, expected: value - residual, score, is_anomaly }
            });
        Watch { method: choice.method, steps: steps.collect() }
    };
    Ok(series.par_iter().map(one).collect())
}

/// What makes the median absolute deviation of a normal variable its deviation, 1 / Φ⁻¹(3/4); the same for the mean absolute
/// deviation, √(π/2).
const OF_MEDIAN: f64 = 1.482_602_218_505_602;
const OF_MEAN: f64 = 1.253_314_137_315_500_3;
/// Residuals this small relative to the values are rounding.
const ROUNDING: f64 = 1e-12;

/// 0 for all where the residuals are all the same but for rounding.
fn scores(residuals: &[f64], values: &[f64]) -> Vec<f64> {
    let middle = median(residuals);
    let distances: Vec<f64> = residuals.iter().map(|e| (e - middle).abs()).collect();
    let least = ROUNDING * values.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    let robust = OF_MEDIAN * median(&distances);
    let fallback = OF_MEAN * distances.iter().sum::<f64>() / distances.len() as f64;
    let scale = if robust > least { robust } else { fallback };
    residuals.iter().map(|e| if scale > least { (e - middle) / scale } else { 0.0 }).collect()
}

/// Of one number or more.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}
