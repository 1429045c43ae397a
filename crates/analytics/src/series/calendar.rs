//! Even steps of the calendar. A day is a number, days since 1970-01-01, as in the slices that SQL hands over.

use std::fmt;

/// How far apart two steps lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    Day,
    Week,
    /// Named by its first day.
    Month,
}

impl Every {
    /// Steps in the season that a business has most of: a week of days, a year of weeks or months.
    pub fn season(self) -> usize {
        match self {
            Every::Day => 7,
            Every::Week => 52,
            Every::Month => 12,
        }
    }

    /// The day `steps` steps after `first`, which is the first of a month for `Month`.
    pub(super) fn later(self, first: i32, steps: usize) -> i32 {
        let (first, steps) = (i64::from(first), steps as i64);
        let day = match self {
            Every::Day => first + steps,
            Every::Week => first + 7 * steps,
            Every::Month => {
                let (year, month, _) = civil(first);
                let months = 12 * year + month - 1 + steps;
                first_of_month(months.div_euclid(12), months.rem_euclid(12) + 1)
            }
        };
        i32::try_from(day).unwrap_or(i32::MAX)
    }

    /// What a step is, if `day` can be none of the series that begins at `first`.
    pub(super) fn missed(self, first: i32, day: i32) -> Option<&'static str> {
        match self {
            Every::Day => None,
            Every::Week => ((i64::from(day) - i64::from(first)) % 7 != 0)
                .then_some("a week begins on the weekday of the series' first day (every => 'day' has shorter steps)"),
            Every::Month => (civil(i64::from(day)).2 != 1)
                .then_some("a month begins on its first day (every => 'week' or 'day' has shorter steps)"),
        }
    }
}

/// Shows a day as year-month-day.
pub(crate) struct Date(pub(crate) i32);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(i64::from(self.0));
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// Days of the 400 years after which the calendar repeats.
const ERA: i64 = 146_097;
/// Days from 0000-03-01, where an era begins, to 1970-01-01.
const EPOCH: i64 = 719_468;

/// Year, month and day of a day. Howard Hinnant, "chrono-compatible low-level date algorithms" (2013).
fn civil(day: i64) -> (i64, i64, i64) {
    let era = (day + EPOCH).div_euclid(ERA);
    let of_era = (day + EPOCH).rem_euclid(ERA);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / (ERA - 1)) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + 400 * era + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// The day that a month begins, by the same source.
fn first_of_month(year: i64, month: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    year.div_euclid(400) * ERA + 365 * of_era + of_era / 4 - of_era / 100 + (153 * shifted + 2) / 5 - EPOCH
}
