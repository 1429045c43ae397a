//! The seasonal-naive baseline: the next value is that of the same step a season ago. Its deviation is that of the
//! seasonal differences, and grows with each whole season ahead (Hyndman & Athanasopoulos, Forecasting: Principles and
//! Practice, 3rd edition, 5.5).

use super::model::Spread;

/// The last values of a series, and how far a season carries.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Naive {
    last: Vec<f64>,
    deviation: f64,
    /// From step `season` on.
    pub(super) residuals: Vec<f64>,
}

impl Naive {
    /// `values` are more than `season`, which is 1 for the last value alone.
    pub(super) fn fit(values: &[f64], season: usize) -> Self {
        let residuals: Vec<f64> = values[season..].iter().zip(values).map(|(now, before)| now - before).collect();
        let squares: f64 = residuals.iter().map(|e| e * e).sum();
        let deviation = (squares / residuals.len() as f64).sqrt();
        Self { last: values[values.len() - season..].to_vec(), deviation, residuals }
    }

    pub(super) fn ahead(&self, horizon: usize) -> Vec<Spread> {
        let season = self.last.len();
        let one = |step| Spread {
            mean: self.last[step % season],
            deviation: self.deviation * ((step / season + 1) as f64).sqrt(),
        };
        (0..horizon).map(one).collect()
    }
}
