//! Defines what a statement reads beside the tables and views of the snapshot: local files by their path, and older
//! versions of tables. They are opened before planning, because the planner cannot wait for them; files anew for every
//! statement, because they change.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::{DataFusionError, Result as QueryResult};
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    self, FunctionArg, FunctionArgExpr, Ident, ObjectName, TableFactor, Value, Visitor,
};

use crate::conform::conform;
use crate::error::{Error, Result};
use crate::problem::similar;
use crate::read::{self, InputFile, Rows, TextOptions};
use crate::statement::each_part;
use crate::world::{DEFAULT_SCHEMA, World};

/// `at_version('core.orders', 3)`: the table as it was at that version of its Delta log.
pub(crate) const AT_VERSION: &str = "at_version";
const PARQUET: &str = "parquet";
/// Batches read before the one that is asked for.
const BATCHES_AHEAD: usize = 2;

/// Opens all sources of a statement. Returns the names of its files.
///
/// # Errors
/// [`Error::NoFile`], [`Error::File`]; [`Error::Version`] tells which versions there are.
pub(crate) async fn open(statement: &Statement, world: &World, state: &SessionState) -> Result<Vec<String>> {
    let mut found = Sources::default();
    if let ControlFlow::Break(error) = each_part(statement, &mut found) {
        return Err(error);
    }
    for path in &found.files {
        world.keep(format!("{DEFAULT_SCHEMA}.{path}"), file(path, state).await?);
    }
    for (name, version) in &found.versions {
        let newest = world.snapshot.tables.get(name).copied();
        let Some(newest) = newest else {
            let nearest_names = similar(name, world.snapshot.tables.keys().cloned().collect());
            return Err(Error::NoVersions { name: name.clone(), nearest_names });
        };
        if *version > newest {
            return Err(Error::Version { name: name.clone(), version: *version, newest });
        }
        world.keep(key(name, *version), world.at_version(name, *version).await?);
    }
    Ok(found.files)
}

/// What a table at a version is kept as; no name of a table looks like it.
fn key(name: &str, version: u64) -> String {
    format!("{AT_VERSION}('{name}', {version})")
}

#[derive(Default)]
struct Sources {
    files: Vec<String>,
    versions: Vec<(String, u64)>,
}

impl Visitor for Sources {
    type Break = Error;

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Error> {
        if let [part] = relation.0.as_slice()
            && let Some(Ident { value, quote_style: Some('\''), .. }) = part.as_ident()
        {
            self.files.push(value.clone());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Error> {
        if let TableFactor::Table { name, args: Some(args), .. } = factor
            && name.to_string().eq_ignore_ascii_case(AT_VERSION)
        {
            match args.args.as_slice() {
                [table, version] => match (text(table), text(version).and_then(|version| version.parse().ok())) {
                    (Some(table), Some(version)) => self.versions.push((table, version)),
                    _ => return ControlFlow::Break(wrong_arguments(factor)),
                },
                _ => return ControlFlow::Break(wrong_arguments(factor)),
            }
        }
        ControlFlow::Continue(())
    }
}

fn text(argument: &FunctionArg) -> Option<String> {
    match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(ast::Expr::Value(value))) => match &value.value {
            Value::SingleQuotedString(text) | Value::Number(text, _) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn wrong_arguments(factor: &TableFactor) -> Error {
    let valid = format!("write {AT_VERSION}('core.orders', 3), a table and a version of it");
    Error::Argument { what: "table function", value: factor.to_string(), valid }
}

/// The table function: what it gives was opened before planning.
#[derive(Debug)]
pub(crate) struct AtVersion(pub(crate) Weak<World>);

impl TableFunctionImpl for AtVersion {
    fn call_with_args(&self, args: TableFunctionArgs) -> QueryResult<Arc<dyn TableProvider>> {
        let text = |expr: &Expr| match expr {
            Expr::Literal(value, _) => Some(value.to_string()),
            _ => None,
        };
        let arguments: Option<Vec<String>> = args.exprs().iter().map(text).collect();
        let table = match arguments.as_deref() {
            Some([name, version]) => version.parse().ok().map(|version| key(name, version)),
            _ => None,
        };
        let kept = table.and_then(|table| self.0.upgrade()?.kept(&table));
        kept.ok_or_else(|| DataFusionError::Plan(format!("{AT_VERSION} is for queries, not for views")))
    }
}

async fn file(name: &str, state: &SessionState) -> Result<Arc<dyn TableProvider>> {
    let none = |hint: &str| Error::NoFile { pattern: name.into(), hint: hint.into() };
    let path = match name.strip_prefix("file://") {
        Some(path) => PathBuf::from(path),
        None if name.contains("://") => {
            return Err(none("queries read files of this machine; `load` takes a URL"));
        }
        None => PathBuf::from(name),
    };
    if path.is_dir() {
        return Err(none("it is a folder; name one of its files"));
    }
    if !path.is_file() {
        return Err(none("in single quotes FROM takes the path of a .csv, .json, .ndjson or .parquet file"));
    }
    match path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(PARQUET)) {
        true => parquet_file(&path, state).await,
        false => text_file(path).await,
    }
}

/// Read by the engine itself, which leaves out columns and row groups that a query does not need.
async fn parquet_file(path: &Path, state: &SessionState) -> Result<Arc<dyn TableProvider>> {
    let absolute =
        std::path::absolute(path).map_err(|source| Error::Io { action: "read", path: path.into(), source })?;
    let url = ListingTableUrl::parse(absolute.to_string_lossy())?;
    let format = ParquetFormat::default().with_force_view_types(false);
    let ending = absolute.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    let options = ListingOptions::new(Arc::new(format)).with_file_extension(ending);
    let schema = options.infer_schema(state, &url).await?;
    let config = ListingTableConfig::new(url).with_listing_options(options).with_schema(schema);
    Ok(Arc::new(ListingTable::try_new(config)?))
}

/// Read as `load` reads it: the same columns with the same types.
async fn text_file(path: PathBuf) -> Result<Arc<dyn TableProvider>> {
    let inspected = tokio::task::spawn_blocking(move || {
        let file = InputFile::from(path);
        let inspection = read::inspect(&file, &TextOptions::default(), &Schema::empty())?;
        Ok((file, inspection))
    });
    let (file, inspection) = crate::joined(inspected.await)?;
    let field = |(name, data_type): &(String, Option<DataType>)| {
        Field::new(name, data_type.clone().unwrap_or(DataType::Utf8), true)
    };
    let schema: SchemaRef = Arc::new(Schema::new(inspection.columns.iter().map(field).collect::<Vec<_>>()));
    let rows = Arc::new(TextRows { file, schema: Arc::clone(&schema) });
    Ok(Arc::new(StreamingTable::try_new(schema, vec![rows])?))
}

/// The rows of a text file, read when they are asked for.
#[derive(Debug)]
struct TextRows {
    file: InputFile,
    schema: SchemaRef,
}

impl PartitionStream for TextRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut rows = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), BATCHES_AHEAD);
        let (file, schema, sender) = (self.file.clone(), Arc::clone(&self.schema), rows.tx());
        rows.spawn_blocking(move || {
            let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
            let mut is_wanted = true;
            let read = read::read(&file, &TextOptions::default(), &names, &mut |rows| {
                let batch = typed(&file, &rows, &schema)?;
                is_wanted = sender.blocking_send(Ok(batch)).is_ok();
                match is_wanted {
                    true => Ok(()),
                    // Nobody reads on, as after LIMIT: the error only ends the reading.
                    false => Err(Error::CutOff(String::new())),
                }
            });
            match read {
                Err(error) if is_wanted => Err(DataFusionError::External(Box::new(error))),
                _ => Ok(()),
            }
        });
        rows.build()
    }
}

/// The rows with the file's types; a query reads all of a file's rows or none.
fn typed(file: &InputFile, rows: &Rows, schema: &SchemaRef) -> Result<RecordBatch> {
    if let Some(broken) = rows.broken.first() {
        let problem = format!("{}: {}", broken.origin, broken.reason);
        return Err(Error::File { file: file.shown.clone(), problem });
    }
    let columns = rows.batch.columns().iter().zip(schema.fields()).map(|(array, field)| {
        conform(array, field.data_type()).map_err(|misfit| Error::WrongValue {
            place: format!("{}, {}", file.shown, rows.origins[misfit.row]),
            column: field.name().clone(),
            value: misfit.value,
            problem: misfit.problem,
        })
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<Vec<_>>>()?).map_err(Error::from)
}
