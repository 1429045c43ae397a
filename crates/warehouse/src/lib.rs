//! Defines [`Warehouse`]: SQL over the tables of a [`store::Store`], the SQL files that make core tables, features and
//! marts of raw rows, and what moves rows between them: load, build, append, publish.
//!
//! This is the only crate that builds a query session. Tables are named `schema.name`; what a schema may read, and in
//! which order, is fixed in [`SCHEMAS`].

mod actions;
mod append;
mod bucket_scan;
mod build;
mod catalog;
mod clock;
mod conform;
mod date_trunc;
mod ddl;
mod define;
mod describe;
mod dictionaries;
mod erase;
mod error;
mod faults;
mod functions;
mod grain;
mod guard;
mod header;
mod infer;
mod lineage;
mod load;
mod memory;
mod moves;
mod optimize;
mod owners;
mod problem;
mod publish;
mod quality;
mod read;
mod run;
mod scaffold;
mod scan;
mod scratch;
mod session;
mod sources;
mod spine;
mod statement;
#[cfg(test)]
mod tests;
mod variant;
mod world;
mod write;
mod written;

use std::path::Path;
use std::sync::Arc;

use datafusion::execution::memory_pool::MemoryPool;
use store::Store;

pub use build::{BuildReport, Built, SetAside, Skipped};
pub use catalog::{Catalog, Definition, Kind, SCHEMAS};
pub use clock::Clock;
pub use ddl::type_name;
pub use define::{Change, Changed};
pub use describe::{Described, DescribedColumn};
pub use erase::{EraseOptions, EraseReport, ErasedTable, UnrepeatableRun, UnsearchedTable};
pub use error::{Error, Result};
pub use functions::{DescribedFunction, DescribedSetting, described_functions};
pub use header::Header;
pub use lineage::{Derivation, DerivedColumn, Lineage};
pub use load::{LoadOptions, LoadReport, LoadedColumn, Reject, SYSTEM_COLUMNS, infer};
pub use optimize::OptimizeReport;
pub use publish::PublishOptions;
pub use quality::{CheckOptions, CheckReport, CheckResult, Dimension, Failure, Score, Severity};
pub use run::Answer;
pub use scaffold::Scaffold;
pub use scratch::Scratch;
pub use session::{Batches, DEFAULT_HORIZON_DAYS, Query, Session, SessionOptions};
pub use spine::{Every, Spine};
pub use statement::{Statement, is_complete};
pub use write::{FileFormat, replace_file, write_file, write_rows};

/// Tables and views over a store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Warehouse {
    store: Store,
    catalog: Arc<Catalog>,
    memory: Arc<dyn MemoryPool>,
}

impl Warehouse {
    /// The tables of `store` under the shipped SQL files and those of the project folder `sql_dir`, which replace
    /// shipped files of the same path.
    ///
    /// # Errors
    /// [`Error::Definition`], [`Error::Cycle`]: a SQL file is wrong. [`Error::NoFile`]: no such folder.
    pub fn open(store: Store, sql_dir: Option<&Path>) -> Result<Warehouse> {
        Ok(Warehouse { store, catalog: Arc::new(Catalog::open(sql_dir)?), memory: memory::pool(None) })
    }

    /// With so many bytes for its queries, all sessions together; without a limit before.
    pub fn with_memory_limit(self, bytes: usize) -> Warehouse {
        Warehouse { memory: memory::pool(Some(bytes)), ..self }
    }

    /// Where the tables lie.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What the SQL files define.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }
}

/// The result of a blocking task; its panic becomes an error.
fn joined<T>(result: std::result::Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    result.unwrap_or_else(|e| Err(datafusion::error::DataFusionError::External(Box::new(e)).into()))
}
