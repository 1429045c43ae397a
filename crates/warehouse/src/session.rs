//! Defines [`Session`]: SQL over one snapshot. It only reads.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::dataframe::DataFrame;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{Expr, LogicalPlan, ScalarUDF};
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as Parsed;
use futures::{Stream, StreamExt, TryStreamExt};
use store::{DataFile, Snapshot};

use crate::Warehouse;
use crate::catalog::{self, SESSION_TABLES, SPINE};
use crate::clock::Clock;
use crate::date_trunc::DateTrunc;
use crate::ddl::Types;
use crate::error::{Error, Result};
use crate::functions;
use crate::grain::{EmptyTables, NeverNull, Operators, Planner};
use crate::guard;
use crate::lineage::table_name;
use crate::problem::{self, similar};
use crate::sources::{self, AT_VERSION, AtVersion};
use crate::spine::Spine;
use crate::statement::Statement;
use crate::variant::Variant;
use crate::world::{CATALOG, DEFAULT_SCHEMA, Names, World};

/// Horizon of labels if nothing else is asked for.
pub const DEFAULT_HORIZON_DAYS: u32 = 90;

/// What is read of a Parquet file's end at first: the footer and page index of most files.
const FOOTER_BYTES: usize = 64 << 10;
/// Batches computed before the one that is asked for.
const BATCHES_AHEAD: usize = 2;

/// A stream of batches of one schema.
pub type Batches = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

/// What a session reads.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// An older snapshot; the newest by default.
    pub snapshot: Option<u64>,
    /// Customers and cut-offs of `spine`.
    pub spine: Spine,
    /// Days that labels look ahead.
    pub horizon_days: u32,
    /// Threads and partitions; one per core by default. With one, sums come out the same bit for bit.
    pub threads: Option<usize>,
    /// Settings of the object stores that queries name files of, as [`store::Files::open`] takes them.
    pub environment: Vec<(String, String)>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        SessionOptions {
            snapshot: None,
            spine: Spine::Default,
            horizon_days: DEFAULT_HORIZON_DAYS,
            threads: None,
            environment: Vec::new(),
        }
    }
}

/// SQL over one snapshot: every query of a session sees the same rows.
pub struct Session {
    context: SessionContext,
    pub(crate) world: Arc<World>,
}

impl Warehouse {
    /// A session over the newest or a named snapshot.
    ///
    /// # Errors
    /// [`Error::CutOff`] for a spine before all data or with bad rows, unless it is the default one.
    pub async fn session(&self, options: SessionOptions) -> Result<Session> {
        let session = self.session_over(options, BTreeMap::new()).await?;
        session.world.check_spine().await?;
        Ok(session)
    }

    /// A session that reads only the given files of some tables.
    pub(crate) async fn session_over(
        &self,
        options: SessionOptions,
        only_files: BTreeMap<String, Vec<DataFile>>,
    ) -> Result<Session> {
        let SessionOptions { snapshot, spine, horizon_days, threads, environment } = options;
        let snapshot = match snapshot {
            Some(id) => self.store().snapshot_at(id).await?,
            None => self.store().snapshot().await?,
        };
        let world = Arc::new(World {
            store: self.store().clone(),
            catalog: Arc::clone(self.catalog()),
            snapshot,
            spine,
            horizon_days,
            only_files,
            environment,
            held: Mutex::default(),
            state: OnceLock::new(),
            known: Mutex::new(BTreeMap::new()),
        });
        let context = context(&world, &self.memory, threads)?;
        let state = context.state_weak_ref();
        // Set once, here: the world is new.
        let _ = world.state.set(Box::new(move || state.upgrade().map(|state| state.read().clone())));
        Ok(Session { context, world })
    }
}

impl Session {
    /// Plans a query: `SELECT`, `EXPLAIN`, `SHOW` or `DESCRIBE`.
    ///
    /// # Errors
    /// [`Error::Refused`] for statements that write and for `TABLESAMPLE`, [`Error::UnknownTable`] with similar names,
    /// [`Error::Query`] with the engine's answer.
    pub async fn sql(&self, sql: &str) -> Result<Query> {
        self.query(&Statement::one(sql)?).await
    }

    /// Plans one statement of a text, as [`Session::sql`] does.
    pub async fn query(&self, statement: &Statement) -> Result<Query> {
        guard::read_only(&statement.parsed)?;
        let planned = self.plan(statement.parsed.clone()).await;
        planned.map_err(|error| statement.locate(error, &self.context.state()))
    }

    async fn plan(&self, statement: Parsed) -> Result<Query> {
        let opened = sources::open(&statement, &self.world, &self.context.state()).await?;
        self.check_tables(&statement, &opened)?;
        let plan = self.context.state().statement_to_plan(statement).await?;
        Ok(Query { frame: self.context.execute_logical_plan(plan).await?, world: Arc::clone(&self.world) })
    }

    /// The plan of a query as it is written.
    pub(crate) async fn logical_plan(&self, sql: &str) -> Result<LogicalPlan> {
        let planned = self.context.state().create_logical_plan(sql).await;
        planned.map_err(|e| problem::located(e.into(), sql, Some(&self.context.state())))
    }

    /// An expression over these columns, ready to be computed.
    pub(crate) fn physical(&self, value: Expr, columns: &SchemaRef) -> Result<Arc<dyn PhysicalExpr>> {
        let columns = DFSchema::try_from(Arc::clone(columns))?;
        Ok(self.context.state().create_physical_expr(value, &columns)?)
    }

    /// Runs a statement that may write to tables in memory; for [`crate::Scratch`].
    pub(crate) async fn run_any(&self, statement: Parsed) -> Result<Vec<RecordBatch>> {
        let plan = self.context.state().statement_to_plan(statement).await?;
        Ok(self.context.execute_logical_plan(plan).await?.collect().await?)
    }

    /// Lets a name stand for this table.
    pub(crate) fn keep(&self, full_name: String, table: Arc<dyn TableProvider>) {
        self.world.keep(full_name, table);
    }

    /// The snapshot that is read.
    pub fn snapshot(&self) -> &Snapshot {
        &self.world.snapshot
    }

    /// Whether no later snapshot has been committed.
    pub async fn is_newest(&self) -> Result<bool> {
        Ok(self.world.store.snapshot().await?.id == self.world.snapshot.id)
    }

    /// First and last times of the snapshot's facts; `None` before there are any.
    pub async fn clock(&self) -> Result<Option<Clock>> {
        self.world.clock().await
    }

    /// Every table and view, `schema.name`, and the session tables.
    pub fn names(&self) -> Vec<String> {
        self.world.names()
    }

    /// `opened` are the names that stand for something else than a table or view.
    fn check_tables(&self, statement: &Parsed, opened: &[String]) -> Result<()> {
        let names = self.names();
        let engines = self.context.state().table_functions().keys().cloned().collect::<Vec<_>>();
        for name in catalog::references(statement)? {
            let known = names.contains(&name)
                || opened.contains(&name)
                || engines.contains(&name)
                || functions::names().any(|function| name == function)
                || name.starts_with("information_schema.")
                || SESSION_TABLES.iter().any(|table| name == format!("{DEFAULT_SCHEMA}.{table}"));
            if !known {
                let nearest_names = similar(&name, names);
                return Err(Error::UnknownTable { name, nearest_names });
            }
        }
        Ok(())
    }
}

/// A planned query.
#[derive(Debug, Clone)]
pub struct Query {
    frame: DataFrame,
    /// Keeps what it reads, such as copies of files at URLs.
    world: Arc<World>,
}

impl Query {
    /// The columns of the result.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(self.frame.schema().inner())
    }

    /// Whether cut-offs were asked for and nothing that it reads looks at them.
    pub fn ignores_cut_offs(&self) -> bool {
        let mut reads_spine = false;
        let looked = self.frame.logical_plan().apply_with_subqueries(|node| {
            reads_spine |= matches!(node, LogicalPlan::TableScan(scan) if table_name(&scan.table_name) == SPINE);
            Ok(if reads_spine { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        });
        looked.is_ok() && !reads_spine && !matches!(self.world.spine, Spine::Default)
    }

    /// Runs it, batch by batch, in a task of its own that ends when the stream is dropped: whoever waits for the rows is
    /// never held up by their computation.
    pub async fn stream(self) -> Result<Batches> {
        let Query { frame, world } = self;
        let mut computed = frame.execute_stream().await?;
        let mut rows = RecordBatchReceiverStreamBuilder::new(computed.schema(), BATCHES_AHEAD);
        let sender = rows.tx();
        rows.spawn(async move {
            while let Some(batch) = computed.next().await {
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
            drop(world);
            Ok(())
        });
        Ok(rows.build().map_err(Error::from).boxed())
    }

    /// Runs it and keeps all batches.
    pub async fn collect(self) -> Result<Vec<RecordBatch>> {
        self.stream().await?.try_collect().await
    }
}

fn logical_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    // Before columns that nothing reads are left out.
    let last = rules.iter().position(|rule| rule.name() == "optimize_projections").unwrap_or(rules.len());
    rules.insert(last, Arc::new(NeverNull));
    rules.push(Arc::new(EmptyTables));
    rules
}

fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    rules.insert(0, Arc::new(Operators::KeepOrder));
    rules.push(Arc::new(Operators::UseOrder));
    rules
}

fn context(world: &Arc<World>, memory: &Arc<dyn MemoryPool>, threads: Option<usize>) -> Result<SessionContext> {
    let threads = threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let mut config = SessionConfig::new()
        .with_target_partitions(threads.max(1))
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, DEFAULT_SCHEMA);
    let options = config.options_mut();
    options.execution.time_zone = Some("UTC".into());
    // Errors say where in the text something is wrong.
    options.sql_parser.collect_spans = true;
    // One text type everywhere: tables hold Utf8, so must casts and literals.
    options.sql_parser.map_string_types_to_utf8view = false;
    // Rows without a customer are no one's, and those of a shop's guests are many.
    options.optimizer.filter_null_join_keys = true;
    options.execution.parquet.metadata_size_hint = Some(FOOTER_BYTES);
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::clone(memory));
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime.build_arc()?)
        .with_default_features()
        .with_type_planner(Arc::new(Types))
        .with_query_planner(Arc::new(Planner))
        .with_relation_planners(vec![Arc::new(functions::InFrom)])
        .with_optimizer_rules(logical_rules())
        .with_physical_optimizer_rules(physical_rules())
        .build();
    let context = SessionContext::new_with_state(state);
    context.register_object_store(&world.store.store_url(), world.store.object_store());
    context.register_udf(ScalarUDF::from(DateTrunc::default()));
    context.register_udf(ScalarUDF::from(Variant::default()));
    context.register_udtf(AT_VERSION, Arc::new(AtVersion(Arc::downgrade(world))));
    context.register_catalog(CATALOG, Arc::new(Names(Arc::clone(world))));
    Ok(context)
}
