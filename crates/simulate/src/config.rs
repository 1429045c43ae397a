use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use crate::{Error, Result};

/// Which mechanism the shop follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Seasons, campaigns, browsing that fades before a customer leaves, tastes, returns, and dirt in the files.
    #[default]
    Full,
    /// The control: exactly Pareto/NBD buying with Gamma-Gamma spend (CDNOW's parameters) and nothing else to learn.
    ParetoNbd,
}

/// What to simulate. [`Config::new`] gives every default; change fields after it.
#[derive(Debug, Clone)]
pub struct Config {
    /// At least 1, at most 100 million.
    pub customers: u64,
    /// Length of the simulated time, 1 to 600.
    pub months: u32,
    pub seed: u64,
    /// First day, from midnight UTC.
    pub start: NaiveDate,
    pub kind: Kind,
    /// Length of the horizon of the attainable truth: shorter than the simulated time, and at most 183 for
    /// [`Kind::Full`].
    pub horizon_days: u32,
    /// Cut-off of the attainable truth; `None` is the latest that leaves a complete horizon.
    pub truth_as_of: Option<DateTime<Utc>>,
}

impl Config {
    pub fn new(customers: u64, months: u32, seed: u64) -> Self {
        Self {
            customers,
            months,
            seed,
            start: NaiveDate::from_ymd_opt(2023, 1, 1).unwrap_or_default(),
            kind: Kind::Full,
            horizon_days: 90,
            truth_as_of: None,
        }
    }

    /// The checked time line of this configuration.
    ///
    /// # Errors
    /// [`Error::Setting`] names the first setting that can not be simulated and what would be valid.
    pub(crate) fn times(&self) -> Result<Times> {
        check("customers", self.customers, 1, MAX_CUSTOMERS)?;
        check("months", u64::from(self.months), 1, MAX_MONTHS)?;
        if self.kind == Kind::Full {
            check("horizon_days", u64::from(self.horizon_days), 1, MAX_HORIZON)?;
        }
        let start = self.start.and_time(NaiveTime::MIN).and_utc();
        let end = start.checked_add_months(chrono::Months::new(self.months)).ok_or_else(|| Error::Setting {
            setting: "start",
            value: self.start.to_string(),
            valid: "a date whose simulated time ends in the calendar".into(),
        })?;
        let latest = end - TimeDelta::days(i64::from(self.horizon_days));
        if latest <= start || self.horizon_days == 0 {
            return Err(Error::Setting {
                setting: "horizon_days",
                value: self.horizon_days.to_string(),
                valid: format!("at least 1 and less than the {} simulated days", (end - start).num_days()),
            });
        }
        let as_of = self.truth_as_of.unwrap_or(latest);
        if as_of <= start || as_of > latest {
            return Err(Error::Setting {
                setting: "truth_as_of",
                value: as_of.to_rfc3339(),
                valid: format!("after {start} and, for a complete horizon, not after {latest}"),
            });
        }
        Ok(Times { start, end, as_of })
    }
}

/// Checked: start < as_of ≤ end − horizon.
pub(crate) struct Times {
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
    pub(crate) as_of: DateTime<Utc>,
}

const MAX_CUSTOMERS: u64 = 100_000_000;
const MAX_MONTHS: u64 = 600;
/// The attainable truth sums over every subset of the campaigns in the horizon: one a month, so at most 2^7.
const MAX_HORIZON: u64 = 183;

fn check(setting: &'static str, value: u64, least: u64, most: u64) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::Setting { setting, value: value.to_string(), valid: format!("{least} to {most}") })
}
