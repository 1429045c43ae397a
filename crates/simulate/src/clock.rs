//! The shop's clock: ∫ weight(t) dt over the simulated time, tabulated by the hour.
//!
//! With season, weekday and hour in the clock, every Poisson process of the shop is homogeneous in clock time, and
//! the Pareto/NBD algebra holds with "elapsed clock" in place of "elapsed time" (Bachmann, Meierer & Näf 2021).

use chrono::{DateTime, Datelike, Duration, Timelike, Utc};

const HOURS_PER_DAY: f64 = 24.0;

/// A non-decreasing, piecewise linear function of days since the start, in (weighted) days.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    cumulative: Vec<f64>,
}

impl Clock {
    /// Clock of a shop without seasons: elapsed days.
    pub(crate) fn even(days: f64) -> Self {
        Self::from_hours((0..(days * HOURS_PER_DAY).ceil() as usize).map(|_| 1.0))
    }

    /// Clock with yearly, weekly and daily seasons, each with mean about 1.
    pub(crate) fn seasonal(start: DateTime<Utc>, days: f64) -> Self {
        let hours = (days * HOURS_PER_DAY).ceil() as i64;
        Self::from_hours((0..hours).map(|hour| season(start + Duration::hours(hour))))
    }

    /// The same clock, each hour weighted by `weight` (of its middle, in days since the start).
    pub(crate) fn weighted(&self, weight: impl Fn(f64) -> f64) -> Self {
        let hours = self.cumulative.windows(2).map(|pair| (pair[1] - pair[0]) * HOURS_PER_DAY);
        Self::from_hours(hours.enumerate().map(|(hour, rate)| rate * weight((hour as f64 + 0.5) / HOURS_PER_DAY)))
    }

    /// Clock time at `day`; days outside the simulated time count as its nearest end.
    pub(crate) fn at(&self, day: f64) -> f64 {
        let last = self.cumulative.len() - 1;
        let hours = (day * HOURS_PER_DAY).clamp(0.0, last as f64);
        let hour = (hours as usize).min(last - 1);
        let (low, high) = (self.cumulative[hour], self.cumulative[hour + 1]);
        low + (high - low) * (hours - hour as f64)
    }

    /// Clock time between two days, 0 where `to` is not after `from`.
    pub(crate) fn between(&self, from: f64, to: f64) -> f64 {
        if to > from { self.at(to) - self.at(from) } else { 0.0 }
    }

    /// The day at which the clock shows `value`; `None` after the end.
    pub(crate) fn day(&self, value: f64) -> Option<f64> {
        let after = self.cumulative.partition_point(|&c| c <= value);
        if after == 0 || after == self.cumulative.len() {
            return None;
        }
        let (low, high) = (self.cumulative[after - 1], self.cumulative[after]);
        Some((after as f64 - 1.0 + (value - low) / (high - low)) / HOURS_PER_DAY)
    }

    fn from_hours(rates: impl Iterator<Item = f64>) -> Self {
        let mut total = 0.0;
        let tail = rates.map(|rate| {
            total += rate / HOURS_PER_DAY;
            total
        });
        Self { cumulative: std::iter::once(0.0).chain(tail).collect() }
    }
}

const WEEKDAY: [f64; 7] = [0.90, 0.86, 0.88, 0.95, 1.06, 1.25, 1.10];
const HOUR: [f64; 24] = [
    0.25, 0.12, 0.06, 0.05, 0.07, 0.18, 0.45, 0.75, 1.00, 1.20, 1.35, 1.45, 1.50, 1.40, 1.30, 1.30, 1.35, 1.50, 1.65,
    1.80, 1.85, 1.65, 1.15, 0.62,
];
/// Mean of the yearly factor below, divided out so that a clock day is a day on average.
const YEAR_MEAN: f64 = 1.03;

fn season(at: DateTime<Utc>) -> f64 {
    let angle = 2.0 * std::f64::consts::PI * f64::from(at.ordinal()) / 365.25;
    // Summer is quiet; the weeks before Christmas are not.
    let christmas = if at.ordinal() >= 325 && at.ordinal() <= 357 { 0.35 } else { 0.0 };
    let year = (1.0 + 0.10 * angle.cos() + christmas) / YEAR_MEAN;
    year * WEEKDAY[at.weekday().num_days_from_monday() as usize] * HOUR[at.hour() as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn clock() -> Clock {
        Clock::seasonal(Utc.with_ymd_and_hms(2023, 1, 1, 0, 0, 0).unwrap(), 731.0)
    }

    #[test]
    fn a_clock_day_is_a_day_on_average() {
        assert!((clock().at(731.0) / 731.0 - 1.0).abs() < 0.01, "{}", clock().at(731.0) / 731.0);
    }

    #[test]
    fn day_is_the_inverse_of_at() {
        let clock = clock();
        for day in [0.0, 0.013, 17.77, 365.5, 730.999] {
            assert!((clock.day(clock.at(day)).unwrap() - day).abs() < 1e-9);
        }
        assert_eq!(clock.day(clock.at(731.0) + 1e-9), None);
    }

    #[test]
    fn weighting_by_a_step_cuts_the_clock_there() {
        let (clock, half) = (clock(), clock().weighted(|day| if day < 100.0 { 0.5 } else { 1.0 }));
        assert!((half.at(100.0) - 0.5 * clock.at(100.0)).abs() < 1e-9);
        assert!((half.between(100.0, 300.0) - clock.between(100.0, 300.0)).abs() < 1e-9);
    }
}
