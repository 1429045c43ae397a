//! Defines [`Reject`], a row of a file that is not loaded, and how rejects reach `quality.rejects`.
//!
//! They are appended before the rows of their load and get their place in the same snapshot. Killed between the two, a
//! load leaves rejects that no snapshot names; run again, it finds them there.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};

use super::Incoming;
use crate::Warehouse;
use crate::error::Result;
use crate::read::Origin;

/// The table of rejected rows.
pub(crate) const REJECTS_TABLE: &str = "quality.rejects";
/// Rejects that a message shows, and characters of a value or line in it.
const SHOWN: usize = 5;
const SHOWN_CHARACTERS: usize = 120;

/// A row that does not parse or does not fit.
#[derive(Debug, Clone)]
pub struct Reject {
    /// The file, as the user gave it.
    pub file: String,
    pub(super) origin: Origin,
    /// The column whose value does not fit, and the value; `None` where the row can't be split into columns.
    pub value: Option<(String, String)>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.file, self.origin)?;
        match (&self.value, &self.origin.line) {
            (Some((column, value)), _) => write!(f, ", column \"{column}\": \"{}\" {}", short(value), self.reason),
            (None, Some((_, text))) => write!(f, ": {}: {}", self.reason, short(text)),
            (None, None) => write!(f, ": {}", self.reason),
        }
    }
}

/// What a message says of rejects: the first few.
pub(crate) fn first_few(rejects: &[Reject]) -> String {
    let mut lines: Vec<String> = rejects.iter().take(SHOWN).map(|reject| format!("\n  {reject}")).collect();
    if rejects.len() > SHOWN {
        lines.push(format!("\n  and {} more", rejects.len() - SHOWN));
    }
    lines.concat()
}

fn short(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_CHARACTERS).collect();
    if text.chars().nth(SHOWN_CHARACTERS).is_some() { line + "…" } else { line }
}

/// Rejects of a load so far, and how many of them it bears.
pub(super) struct Rejects {
    pub(super) all: Vec<Reject>,
    pub(super) most: u64,
}

impl Rejects {
    /// Whether there are too many of them, and enough to show; `at_end` with fewer.
    pub(super) fn too_many(&self, at_end: bool) -> bool {
        self.all.len() as u64 > self.most && (at_end || self.all.len() > SHOWN)
    }
}

impl Warehouse {
    /// Appends the rejects of each file as one commit; `None` where there are none.
    pub(super) async fn append_rejects(
        &self,
        table: &str,
        files: &[Incoming],
        rejects: &[Reject],
        loaded_at: DateTime<Utc>,
    ) -> Result<Option<u64>> {
        let mut version = None;
        for incoming in files {
            let of_file: Vec<&Reject> = rejects.iter().filter(|reject| reject.file == incoming.file.shown).collect();
            if of_file.is_empty() {
                continue;
            }
            let batch = batch(table, &incoming.label, &of_file, loaded_at)?;
            let transaction = format!("rejects:{table}:{}", incoming.inspection.sha256);
            let rows = stream::iter([Ok(batch)]).boxed();
            version = Some(self.append_stream(REJECTS_TABLE, rows, &transaction, &format!("load {table}")).await?);
        }
        Ok(version)
    }
}

fn batch(table: &str, label: &str, rejects: &[&Reject], loaded_at: DateTime<Utc>) -> Result<RecordBatch> {
    let texts = |get: &dyn Fn(&Reject) -> Option<String>| -> Arc<StringArray> {
        Arc::new(rejects.iter().map(|reject| get(reject)).collect())
    };
    let numbers = |get: &dyn Fn(&Origin) -> Option<u64>| -> Arc<Int64Array> {
        Arc::new(rejects.iter().map(|reject| get(&reject.origin).map(|number| number as i64)).collect())
    };
    let loaded_at = TimestampMicrosecondArray::from(vec![loaded_at.timestamp_micros(); rejects.len()]);
    RecordBatch::try_from_iter_with_nullable([
        ("raw_table", texts(&|_| Some(table.into())) as _, true),
        ("file", texts(&|_| Some(label.into())) as _, true),
        ("row_number", numbers(&|origin| Some(origin.row)) as _, true),
        ("line_number", numbers(&|origin| origin.line.as_ref().map(|(number, _)| *number)) as _, true),
        ("column_name", texts(&|reject| reject.value.as_ref().map(|(column, _)| column.clone())) as _, true),
        ("value", texts(&|reject| reject.value.as_ref().map(|(_, value)| value.clone())) as _, true),
        ("reason", texts(&|reject| Some(reject.reason.clone())) as _, true),
        ("line", texts(&|reject| reject.origin.line.as_ref().map(|(_, text)| text.clone())) as _, true),
        ("loaded_at", Arc::new(loaded_at.with_timezone("UTC")) as _, true),
    ])
    .map_err(Into::into)
}
