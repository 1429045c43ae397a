//! Dates as a user writes and reads them; inside, times are microseconds since 1970 UTC.

use crate::error::{Error, Result};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

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
    fn dates_read_as_utc() {
        let micros = |text| parse_time(text).unwrap().timestamp_micros();
        assert_eq!(micros("1970-01-02"), MICROS_PER_DAY);
        assert_eq!(micros("1970-01-01T01:00:00+01:00"), 0);
        assert_eq!(date(micros("2024-10-01")), "2024-10-01");
        assert!(parse_time("10/01/2024").unwrap_err().to_string().contains("10/01/2024"));
    }
}
