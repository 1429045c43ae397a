//! Times as the crate holds them: microseconds since 1970-01-01 UTC.

use chrono::{DateTime, SecondsFormat};

/// Microseconds in a day.
pub const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A time in microseconds since 1970 UTC as text for messages (`2011-12-09T00:00:00Z`).
pub fn format_time(micros: i64) -> String {
    match DateTime::from_timestamp_micros(micros) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => format!("{micros} µs"),
    }
}

/// Days from `from` to `to`.
pub(crate) fn days_between(from: i64, to: i64) -> f64 {
    (to - from) as f64 / MICROS_PER_DAY as f64
}

/// Where a time lies in its year and in its week: sine and cosine of each.
pub(crate) fn calendar(micros: i64) -> [f32; 4] {
    const DAYS_PER_YEAR: f64 = 365.2425;
    let days = micros as f64 / MICROS_PER_DAY as f64;
    let angle = |period: f64| std::f64::consts::TAU * (days / period).fract();
    let (year, week) = (angle(DAYS_PER_YEAR), angle(7.0));
    [year.sin() as f32, year.cos() as f32, week.sin() as f32, week.cos() as f32]
}
