//! Defines [`World`], what the names of a session stand for: tables at one snapshot, views, spine and params. A name is
//! looked up only when a query uses it, so that a session costs nothing for tables it never reads, and a broken view
//! breaks only the queries that read it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, MemTable, SchemaProvider, TableProvider};
use datafusion::datasource::ViewTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::{DataFusionError, Result as QueryResult};
use datafusion::execution::SessionState;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::TableType;
use store::{DataFile, Snapshot, Store, Table};

use crate::catalog::{Catalog, Definition, Kind, PARAMS, SCHEMAS, SESSION_TABLES, SPINE};
use crate::error::{Error, Result};
use crate::problem;
use crate::read::Found;
use crate::scan::TableScan;
use crate::spine::{self, Spine};

/// Where session tables lie: names without a schema.
pub(crate) const DEFAULT_SCHEMA: &str = "public";
pub(crate) const CATALOG: &str = "perennial";

type GetState = Box<dyn Fn() -> Option<SessionState> + Send + Sync>;

/// What names stand for.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) snapshot: Snapshot,
    pub(crate) spine: Spine,
    pub(crate) horizon_days: u32,
    /// Only these files of a raw table are read.
    pub(crate) only_files: BTreeMap<String, Vec<DataFile>>,
    /// Settings of the object stores that queries name files of.
    pub(crate) environment: Vec<(String, String)>,
    /// Files that a name of `known` stands for, if they are copies.
    pub(crate) held: Mutex<BTreeMap<String, Found>>,
    /// The session that plans views; set once, and weak, because the session owns this.
    pub(crate) state: OnceLock<GetState>,
    pub(crate) known: Mutex<BTreeMap<String, Arc<dyn TableProvider>>>,
}

impl World {
    /// All names, `schema.name` and session tables.
    pub(crate) fn names(&self) -> Vec<String> {
        let of_schemas =
            SCHEMAS.iter().flat_map(|schema| self.names_in(schema).into_iter().map(move |n| format!("{schema}.{n}")));
        of_schemas.chain(SESSION_TABLES.map(String::from)).collect()
    }

    fn names_in(&self, schema: &str) -> Vec<String> {
        match schema {
            DEFAULT_SCHEMA => SESSION_TABLES.map(String::from).to_vec(),
            "raw" => {
                self.snapshot.tables.keys().filter_map(|name| name.strip_prefix("raw.")).map(String::from).collect()
            }
            schema => self.catalog.names(schema),
        }
    }

    /// Lets a name stand for this table.
    pub(crate) fn keep(&self, full_name: String, table: Arc<dyn TableProvider>) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(full_name, table);
    }

    /// Keeps the copies of files for as long as the name stands for them.
    pub(crate) fn hold(&self, name: &str, files: Found) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_string(), files);
    }

    /// The table that a name stands for already.
    pub(crate) fn kept(&self, full_name: &str) -> Option<Arc<dyn TableProvider>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(full_name).cloned()
    }

    /// A table of the snapshot at another version, whose files vacuum may have taken.
    pub(crate) async fn at_version(&self, full_name: &str, version: u64) -> Result<Arc<dyn TableProvider>> {
        self.store.must_be_whole(&self.store.table(full_name, version).await?).await?;
        let columns = self.catalog.get(full_name).and_then(|definition| definition.columns.clone());
        self.scan(full_name, version, columns).await
    }

    async fn provider(&self, schema: &str, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let full_name = format!("{schema}.{name}");
        if let Some(known) = self.kept(&full_name) {
            return Ok(Some(known));
        }
        let provider: Arc<dyn TableProvider> = match (schema, self.catalog.get(&full_name)) {
            (DEFAULT_SCHEMA, _) if name == SPINE => {
                let batches = spine::rows(&self.spine, &self.session_state()?, self).await?;
                Arc::new(MemTable::try_new(spine::schema(), vec![batches])?)
            }
            (DEFAULT_SCHEMA, _) if name == PARAMS => {
                let batch = spine::params(self.horizon_days, self.clock().await?)?;
                Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?)
            }
            ("raw", _) => match self.snapshot.tables.get(&full_name) {
                Some(version) => self.scan(&full_name, *version, None).await?,
                None => return Ok(None),
            },
            (_, Some(definition)) if definition.kind == Kind::Table => self.table(definition).await?,
            (_, Some(definition)) if definition.kind == Kind::View => self.view(definition).await?,
            _ => return Ok(None),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Some(Arc::clone(known.entry(full_name).or_insert(provider))))
    }

    async fn table(&self, definition: &Definition) -> Result<Arc<dyn TableProvider>> {
        let columns = definition.columns.clone().unwrap_or_else(|| Arc::new(arrow::datatypes::Schema::empty()));
        match self.snapshot.tables.get(&definition.full_name()) {
            Some(version) => self.scan(&definition.full_name(), *version, Some(columns)).await,
            None => Ok(Arc::new(EmptyTable::new(columns))),
        }
    }

    async fn scan(&self, name: &str, version: u64, columns: Option<SchemaRef>) -> Result<Arc<dyn TableProvider>> {
        let table = self.store.table(name, version).await?;
        let files = self.only_files.get(name).unwrap_or(&table.files).clone();
        let columns = columns.unwrap_or_else(|| Arc::clone(&table.schema));
        self.over(&table, files, columns)
    }

    /// Some files of a table, read as these columns.
    pub(crate) fn over(
        &self,
        table: &Table,
        files: Vec<DataFile>,
        columns: SchemaRef,
    ) -> Result<Arc<dyn TableProvider>> {
        let store_url = ObjectStoreUrl::parse(self.store.store_url())?;
        Ok(Arc::new(TableScan::new(table, columns, files, store_url)))
    }

    async fn view(&self, definition: &Definition) -> Result<Arc<dyn TableProvider>> {
        let state = self.session_state()?;
        let plan = state.create_logical_plan(&definition.sql).await;
        let plan = plan.map_err(|e| match problem::located(e.into(), &definition.sql, Some(&state)) {
            // Of a view that this one reads.
            error @ Error::Definition { .. } => error,
            error => Error::Definition { path: definition.path.clone(), problem: error.to_string() },
        })?;
        Ok(Arc::new(ViewTable::new(plan, Some(definition.sql.clone()))))
    }

    fn session_state(&self) -> Result<SessionState> {
        let state = self.state.get().and_then(|get| get());
        state.ok_or_else(|| DataFusionError::Internal("the session is gone".into()).into())
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("snapshot", &self.snapshot.id).finish_non_exhaustive()
    }
}

/// The catalogue of a session: the schemas, and the session tables in the default one.
#[derive(Debug)]
pub(crate) struct Names(pub(crate) Arc<World>);

impl CatalogProvider for Names {
    fn schema_names(&self) -> Vec<String> {
        let schemas = SCHEMAS.iter().filter(|schema| !self.0.names_in(schema).is_empty());
        schemas.copied().chain([DEFAULT_SCHEMA]).map(String::from).collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let known = SCHEMAS.contains(&name) || name == DEFAULT_SCHEMA;
        known.then(|| Arc::new(NamesIn { world: Arc::clone(&self.0), schema: name.to_string() }) as _)
    }
}

#[derive(Debug)]
struct NamesIn {
    world: Arc<World>,
    schema: String,
}

#[async_trait]
impl SchemaProvider for NamesIn {
    fn table_names(&self) -> Vec<String> {
        self.world.names_in(&self.schema)
    }

    async fn table(&self, name: &str) -> QueryResult<Option<Arc<dyn TableProvider>>, DataFusionError> {
        let provider = self.world.provider(&self.schema, name).await;
        provider.map_err(|e| match e {
            Error::Query(error) => *error,
            error => DataFusionError::External(Box::new(error)),
        })
    }

    /// Without planning the view, so that listing all names is cheap.
    async fn table_type(&self, name: &str) -> QueryResult<Option<TableType>> {
        let definition = self.world.catalog.get(&format!("{}.{name}", self.schema));
        Ok(match definition.map(|definition| &definition.kind) {
            Some(Kind::View) => Some(TableType::View),
            _ => self.table_exist(name).then_some(TableType::Base),
        })
    }

    fn table_exist(&self, name: &str) -> bool {
        self.world.names_in(&self.schema).iter().any(|known| known == name)
    }
}
