//! Defines [`Scratch`], for tests of SQL views: every table that the SQL files define, and the session's own, are empty
//! and in memory, and can be written with `INSERT`. The views over them are the real ones.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{MemTable, TableProvider};
use store::Store;

use crate::Warehouse;
use crate::catalog::{Kind, PARAMS, SPINE};
use crate::error::Result;
use crate::session::{Session, SessionOptions};
use crate::spine;
use crate::statement::Statement;
use crate::world::DEFAULT_SCHEMA;

/// Views over empty tables that a test fills.
pub struct Scratch {
    session: Session,
}

impl Scratch {
    /// `folder` is an empty one that the test owns; `sql_dir` adds to or overrides the shipped SQL files.
    pub async fn new(folder: &Path, sql_dir: Option<&Path>) -> Result<Scratch> {
        let store = Store::init(&folder.to_string_lossy(), [], 1).await?;
        let warehouse = Warehouse::open(store, sql_dir)?;
        let session = warehouse.session(SessionOptions::default()).await?;
        let params = spine::params(1, None)?.schema();
        for (name, schema) in [(SPINE, spine::schema()), (PARAMS, params)] {
            session.keep(format!("{DEFAULT_SCHEMA}.{name}"), memory(schema)?);
        }
        for table in warehouse.catalog().iter().filter(|definition| definition.kind == Kind::Table) {
            let columns = table.columns.clone().unwrap_or_else(|| Arc::new(Schema::empty()));
            session.keep(table.full_name(), memory(columns)?);
        }
        Ok(Scratch { session })
    }

    /// Runs a query or an `INSERT`.
    pub async fn run(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        self.session.run_any(Statement::one(sql)?.parsed).await
    }
}

fn memory(schema: SchemaRef) -> Result<Arc<dyn TableProvider>> {
    Ok(Arc::new(MemTable::try_new(schema, vec![Vec::new()])?))
}
