//! Dates as a user writes and reads them; inside, times are microseconds since 1970 UTC.

use crate::error::{Error, Result};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

pub(crate) const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The time that `2024-10-01`, `2024-10-01T12:30:00` or RFC 3339 with an offset names; UTC without an offset.
pub fn parse_time(text: &str) -> Result<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN);
    let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(midnight));
    match local {
        Some(time) => Ok(time.and_utc()),
        None => Err(Error::Time { text: text.into() }),
    }
}

/// The days of `7d` or the hours of `12h`.
pub fn parse_duration(text: &str) -> Result<TimeDelta> {
    let count = |unit: char| text.strip_suffix(unit)?.parse::<u32>().ok().map(i64::from);
    let days = count('d').and_then(TimeDelta::try_days);
    days.or_else(|| TimeDelta::try_hours(count('h')?)).ok_or_else(|| Error::Duration { text: text.into() })
}

/// A time for messages and reports: the date alone at midnight.
pub(crate) fn date(micros: i64) -> String {
    let Some(time) = DateTime::from_timestamp_micros(micros) else { return format!("{micros} µs") };
    match micros % MICROS_PER_DAY {
        0 => time.format("%Y-%m-%d").to_string(),
        _ => time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
    }
}

/// The same time as the warehouse takes it. Times beyond the calendar, which no file can hold, become its end.
pub(crate) fn utc(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Now.
pub(crate) fn now() -> i64 {
    Utc::now().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_days_or_hours() {
        assert_eq!(parse_duration("7d").unwrap(), TimeDelta::days(7));
        assert_eq!(parse_duration("0h").unwrap(), TimeDelta::zero());
        for text in ["", "7", "d", "-1d", "1.5d", "7 d", "99999999999d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dates_read_as_utc() {
        let micros = |text| parse_time(text).unwrap().timestamp_micros();
        assert_eq!(micros("1970-01-02"), MICROS_PER_DAY);
        assert_eq!(micros("1970-01-01T01:00:00+01:00"), 0);
        assert_eq!(date(micros("2024-10-01")), "2024-10-01");
        assert!(parse_time("10/01/2024").unwrap_err().to_string().contains("10/01/2024"));
    }
}
