//! Defines which tables names stand for where the work is about what lies in the store: those that were ever written.

use store::Snapshot;

use crate::Warehouse;
use crate::error::{Error, Result};
use crate::problem::similar;

impl Warehouse {
    /// The tables of these names, or without names all that have a log or that one of the snapshots names.
    ///
    /// # Errors
    /// [`Error::UnknownTable`].
    pub async fn written(&self, names: &[String], snapshots: &[Snapshot]) -> Result<Vec<String>> {
        let all = self.store().all_tables(snapshots).await?;
        match names.iter().find(|name| !all.contains(name)) {
            Some(name) => Err(Error::UnknownTable { name: name.clone(), nearest_names: similar(name, all) }),
            None if names.is_empty() => Ok(all),
            None => Ok(names.to_vec()),
        }
    }
}
