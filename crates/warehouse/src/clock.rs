//! Defines [`Clock`]: the times between which a snapshot's facts lie, from the file statistics in the log alone.

use chrono::{DateTime, Duration, Utc};
use futures::future::try_join_all;
use store::{CUSTOMER_ID, DataFile, EVENT_TIME, Snapshot};

use crate::Warehouse;
use crate::catalog::{Catalog, Definition, Kind};
use crate::error::Result;
use crate::world::World;

pub(crate) const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Times of the facts about customers (orders, events, …; not of the customers' own attributes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Just after the later of the newest event time and the newest known time.
    pub default_as_of: DateTime<Utc>,
    /// The newest event time, rounded up to the next midnight in UTC: labels see until here.
    pub observed_until: DateTime<Utc>,
    /// The oldest event time.
    pub first_event: DateTime<Utc>,
    /// The oldest known time.
    pub first_known: DateTime<Utc>,
    /// The newest event time.
    pub last_event: DateTime<Utc>,
}

impl Warehouse {
    /// The clock of a snapshot; `None` before there are facts.
    pub async fn clock(&self, snapshot: &Snapshot) -> Result<Option<Clock>> {
        clock(self.store(), self.catalog(), snapshot).await
    }
}

impl World {
    pub(crate) async fn clock(&self) -> Result<Option<Clock>> {
        clock(&self.store, &self.catalog, &self.snapshot).await
    }
}

async fn clock(store: &store::Store, catalog: &Catalog, snapshot: &Snapshot) -> Result<Option<Clock>> {
    let names = catalog.iter().filter(|definition| is_fact(definition)).map(Definition::full_name);
    let versions = names.filter_map(|name| snapshot.tables.get(&name).map(|version| (name, *version)));
    let tables = versions.map(|(name, version)| async move { store.table(&name, version).await });
    let tables = try_join_all(tables).await?;
    let files = || tables.iter().flat_map(|table| &table.files);
    let event = |bound: fn(&DataFile) -> Option<i64>| files().filter_map(bound);
    let (first, last) = (event(|f| f.event_time.map(|t| t.min)).min(), event(|f| f.event_time.map(|t| t.max)).max());
    let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
    let known = event(|f| f.known_time.map(|t| t.max)).max().unwrap_or(last);
    let first_known = event(|f| f.known_time.map(|t| t.min)).min().unwrap_or(first);
    let next_midnight = (last.div_euclid(MICROS_PER_DAY) + 1) * MICROS_PER_DAY;
    Ok(Some(Clock {
        default_as_of: time(last.max(known)) + Duration::microseconds(1),
        observed_until: time(next_midnight),
        first_event: time(first),
        first_known: time(first_known),
        last_event: time(last),
    }))
}

/// A core table about customers whose rows are not the customers themselves.
pub(crate) fn is_fact(definition: &Definition) -> bool {
    let has = |name: &str| definition.columns.as_ref().is_some_and(|columns| columns.index_of(name).is_ok());
    let is_attribute = definition.header.key == [CUSTOMER_ID];
    definition.schema == "core"
        && definition.kind == Kind::Table
        && has(CUSTOMER_ID)
        && has(EVENT_TIME)
        && !is_attribute
}

fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
}
