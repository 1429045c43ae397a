//! Defines [`Layout`]: how the rows of a table lie in its files, and the bucket and order of a clustered one.
//!
//! The layout is written into the properties of the Delta table, because readers rely on it and changing it rewrites
//! every file.

use std::collections::HashMap;
use std::fmt;

use arrow::compute::SortOptions;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use xxhash_rust::xxh3::xxh3_64;

use crate::{BUCKET, CUSTOMER_ID, EVENT_TIME, KNOWN_TIME};

/// The bucket of rows without a customer.
pub const NO_CUSTOMER_BUCKET: i32 = -1;

/// How sorted columns are ordered, in files and to be declared to a planner: ascending, NULLs last.
pub const ORDER: SortOptions = SortOptions { descending: false, nulls_first: false };

const KIND_PROPERTY: &str = "perennial.layout";
const BUCKETS_PROPERTY: &str = "perennial.buckets";
const KEY_PROPERTY: &str = "perennial.key";

/// How the rows of a table lie in its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// In the order in which they were appended.
    FileOrder,
    /// A file holds one bucket of customers, sorted by `(customer_id, event_time, known_time, key…)`.
    Clustered { buckets: u32, key: Vec<String> },
    /// As it comes.
    Plain,
}

impl Layout {
    /// The columns that every file is sorted by, ascending with NULLs last; none if the layout promises no order.
    pub fn sort_columns(&self) -> Vec<&str> {
        let Layout::Clustered { key, .. } = self else { return Vec::new() };
        let mut columns = vec![CUSTOMER_ID, EVENT_TIME, KNOWN_TIME];
        for column in key {
            if !columns.contains(&column.as_str()) {
                columns.push(column);
            }
        }
        columns
    }

    pub(crate) fn is_clustered(&self) -> bool {
        matches!(self, Layout::Clustered { .. })
    }

    pub(crate) fn partition_columns(&self) -> &'static [&'static str] {
        if self.is_clustered() { &[BUCKET] } else { &[] }
    }

    pub(crate) fn to_properties(&self) -> Vec<(&'static str, String)> {
        let mut properties = vec![(KIND_PROPERTY, self.kind().to_owned())];
        if let Layout::Clustered { buckets, key } = self {
            properties.push((BUCKETS_PROPERTY, buckets.to_string()));
            properties.push((KEY_PROPERTY, key.join(",")));
        }
        properties
    }

    /// A table without our properties is somebody else's: it promises nothing. The error says what is wrong with ours.
    pub(crate) fn from_properties(properties: &HashMap<String, String>) -> Result<Self, String> {
        let property = |name: &str| properties.get(name).ok_or_else(|| format!("it has no property {name}"));
        match properties.get(KIND_PROPERTY).map(String::as_str) {
            None => Ok(Layout::Plain),
            Some(kind) if kind == Layout::Plain.kind() => Ok(Layout::Plain),
            Some(kind) if kind == Layout::FileOrder.kind() => Ok(Layout::FileOrder),
            Some("clustered") => {
                let buckets = property(BUCKETS_PROPERTY)?;
                let buckets = buckets.parse().map_err(|_| format!("{BUCKETS_PROPERTY} is '{buckets}'"))?;
                let key = property(KEY_PROPERTY)?.split(',').filter(|column| !column.is_empty());
                Ok(Layout::Clustered { buckets, key: key.map(str::to_owned).collect() })
            }
            Some(other) => Err(format!("{KIND_PROPERTY} is '{other}'")),
        }
    }

    /// What is missing in the properties of a table that this program made.
    pub(crate) fn missing_property(properties: &HashMap<String, String>) -> Option<String> {
        (!properties.contains_key(KIND_PROPERTY)).then(|| format!("it has no property {KIND_PROPERTY}"))
    }

    fn kind(&self) -> &'static str {
        match self {
            Layout::FileOrder => "file_order",
            Layout::Clustered { .. } => "clustered",
            Layout::Plain => "plain",
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layout::Clustered { buckets, key } => {
                write!(f, "clustered by customer in {buckets} buckets, key ({})", key.join(", "))
            }
            other => f.write_str(other.kind()),
        }
    }
}

/// The bucket of a customer: xxh3_64 of the bytes of the id, seed 0, modulo `buckets`; −1 without a customer.
pub fn bucket_of(customer_id: Option<&str>, buckets: u32) -> i32 {
    let Some(customer_id) = customer_id else { return NO_CUSTOMER_BUCKET };
    // Below `buckets`, which a warehouse keeps far below 2^31.
    (xxh3_64(customer_id.as_bytes()) % u64::from(buckets)) as i32
}

pub(crate) fn column_indices(schema: &Schema, columns: &[&str]) -> Result<Vec<usize>, ArrowError> {
    columns.iter().map(|column| schema.index_of(column)).collect()
}
