//! Whether what was trained before would come out the same today.

use crate::error::Result;
use crate::task::Task;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use store::Snapshot;
use warehouse::Warehouse;

/// Schemas of what was computed, which no training reads.
const RESULTS: [&str; 4] = ["models.", "scores.", "quality.", "audit."];

/// All that a training is decided by but the data, as TOML.
pub(crate) fn config(task: &Task) -> String {
    toml::to_string(task).unwrap_or_default()
}

/// Which snapshots have the tables that can be trained on as the newest one has them.
pub(crate) struct SameData<'a> {
    warehouse: &'a Warehouse,
    newest: &'a Snapshot,
    known: HashMap<u64, bool>,
}

impl<'a> SameData<'a> {
    pub(crate) fn new(warehouse: &'a Warehouse, newest: &'a Snapshot) -> SameData<'a> {
        SameData { warehouse, newest, known: HashMap::new() }
    }

    /// False for a snapshot that is gone.
    pub(crate) async fn has(&mut self, snapshot: u64) -> Result<bool> {
        let unknown = match self.known.entry(snapshot) {
            Entry::Occupied(known) => return Ok(*known.get()),
            Entry::Vacant(unknown) => unknown,
        };
        let data = |snapshot: &Snapshot| -> BTreeMap<String, u64> {
            let tables =
                snapshot.tables.iter().filter(|(name, _)| !RESULTS.iter().any(|schema| name.starts_with(schema)));
            tables.map(|(name, version)| (name.clone(), *version)).collect()
        };
        match self.warehouse.store().snapshot_at(snapshot).await {
            Ok(then) => Ok(*unknown.insert(data(&then) == data(self.newest))),
            Err(store::Error::Missing { .. }) => Ok(*unknown.insert(false)),
            Err(error) => Err(error.into()),
        }
    }
}
