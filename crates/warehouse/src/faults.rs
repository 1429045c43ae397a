//! Defines [`Faults`]: what keeps staged rows from becoming core rows, counted over a whole staging run, so that the
//! message can say how many rows it is about.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::max;
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, Duration, Utc};
use store::{EVENT_TIME, KNOWN_TIME};

use crate::catalog::Definition;
use crate::clock::is_fact;

/// How far ahead of this machine's clock a time may lie: sources that write local times are up to 14 hours ahead.
const MAX_AHEAD: Duration = Duration::days(1);

/// Rows without a value that is needed, and facts dated in the future: one of them would move the default cut-off.
pub(crate) struct Faults {
    /// Rows that lack it, per required column.
    missing: Vec<(String, u64)>,
    /// Rows beyond `latest` and the newest of them, per clock.
    ahead: Vec<(&'static str, u64, i64)>,
    latest: i64,
}

impl Faults {
    /// None yet, of rows for `target` whose `required` columns may not be NULL.
    pub(crate) fn new(target: &Definition, required: Vec<String>) -> Self {
        let clocks = if is_fact(target) { [EVENT_TIME, KNOWN_TIME].as_slice() } else { &[] };
        let latest = (Utc::now() + MAX_AHEAD).timestamp_micros();
        Self {
            missing: required.into_iter().map(|name| (name, 0)).collect(),
            ahead: clocks.iter().map(|name| (*name, 0, latest)).collect(),
            latest,
        }
    }

    /// Counts those of a batch that has the target's columns.
    pub(crate) fn count(&mut self, batch: &RecordBatch) {
        for (name, count) in &mut self.missing {
            *count += batch.column_by_name(name).map_or(0, |column| column.null_count()) as u64;
        }
        for (name, count, newest) in &mut self.ahead {
            let times =
                batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
            let Some(times) = times else { continue };
            // Nearly every batch has none.
            let Some(last) = max(times).filter(|time| *time > self.latest) else { continue };
            *count += times.iter().flatten().filter(|time| *time > self.latest).count() as u64;
            *newest = last.max(*newest);
        }
    }

    /// The first fault in words; `None` when every row is sound.
    pub(crate) fn verdict(&self) -> Option<String> {
        let missing = self.missing.iter().find(|(_, count)| *count > 0);
        let missing = missing.map(|(name, count)| format!("{count} rows have no {name}"));
        let ahead = || {
            let (name, count, newest) = self.ahead.iter().find(|(_, count, _)| *count > 0)?;
            let newest = DateTime::from_timestamp_micros(*newest).unwrap_or_default();
            Some(format!("{count} rows lie in the future, with {name} up to {}", newest.format("%Y-%m-%d %H:%M:%S")))
        };
        let fault = missing.or_else(ahead)?;
        Some(format!("{fault}: leave them out, and count them in set_aside.sql; nothing was built of it"))
    }
}
