//! Defines [`Warehouse::optimize`]: clustered tables in few files.

use std::collections::BTreeMap;

use store::{Optimized, Snapshot};

use crate::Warehouse;
use crate::catalog::Kind;
use crate::error::{Error, Result};
use crate::problem::similar;

/// What became of the files of clustered tables.
#[derive(Debug, Clone)]
pub struct OptimizeReport {
    /// By table; None where somebody else was writing it, so that it was left alone.
    pub tables: Vec<(String, Option<Optimized>)>,
    /// The newest snapshot; a new one if files were merged.
    pub snapshot: Snapshot,
}

impl Warehouse {
    /// Merges the files of buckets that have more than `most_files` of them, in these tables or else in all that are
    /// clustered. Older snapshots and published versions keep their files.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], [`Error::Argument`] for a table that is not clustered.
    pub async fn optimize(&self, tables: &[String], most_files: usize) -> Result<OptimizeReport> {
        let snapshot = self.store().snapshot().await?;
        let clustered: Vec<&String> = snapshot.tables.keys().filter(|name| self.is_clustered(name)).collect();
        for name in tables {
            if !snapshot.tables.contains_key(name) {
                let nearest_names = similar(name, clustered.iter().map(|name| (*name).clone()).collect());
                return Err(Error::UnknownTable { name: name.clone(), nearest_names });
            }
            if !clustered.contains(&name) {
                let valid = "only tables clustered by customer have buckets whose files can be merged".into();
                return Err(Error::Argument { what: "table", value: name.clone(), valid });
            }
        }
        let mut done = Vec::new();
        let mut versions = BTreeMap::new();
        for name in clustered.into_iter().filter(|name| tables.is_empty() || tables.contains(name)) {
            let optimized = self.store().optimize(name, snapshot.tables[name], most_files).await?;
            if let Some(optimized) = &optimized {
                versions.insert(name.clone(), optimized.version);
            }
            done.push((name.clone(), optimized));
        }
        let snapshot = self.commit("optimize", versions).await?;
        Ok(OptimizeReport { tables: done, snapshot })
    }

    fn is_clustered(&self, name: &str) -> bool {
        let definition = self.catalog().get(name).filter(|definition| definition.kind == Kind::Table);
        definition.is_some_and(|definition| matches!(self.layout(definition), store::Layout::Clustered { .. }))
    }
}
