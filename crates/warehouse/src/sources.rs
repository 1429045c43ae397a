//! Defines what a statement reads beside the tables and views of the snapshot: files by their path, glob or URL, and
//! older versions of tables. They are opened before planning, because the planner cannot wait for them; files anew for
//! every statement, because they change.

use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

use arrow::array::{RecordBatch, new_null_array};
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
use url::Url;

use crate::conform::conform;
use crate::error::{Error, Result};
use crate::infer::all_columns;
use crate::problem::similar;
use crate::read::{self, Depth, InputFile, Rows, TextOptions};
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
    for name in &found.files {
        let table = files(name, world, state).await?;
        world.keep(format!("{DEFAULT_SCHEMA}.{name}"), table);
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

/// The files that a path, folder, glob or URL names, as one table.
async fn files(name: &str, world: &World, state: &SessionState) -> Result<Arc<dyn TableProvider>> {
    let path = name.strip_prefix("file://").unwrap_or(name).to_string();
    let found = read::find(&[path], &world.environment).await?;
    let is_parquet = |file: &InputFile| file.path.extension().is_some_and(|e| e.eq_ignore_ascii_case(PARQUET));
    let table = match found.files.iter().find(|file| is_parquet(file)) {
        Some(_) if found.files.iter().all(is_parquet) => parquet_files(&found.files, state).await?,
        Some(file) => {
            let problem = format!("'{name}' has files of text, too; name one kind, as in 'folder/*.parquet'");
            return Err(Error::File { file: file.shown.clone(), problem });
        }
        None => text_files(found.files.clone()).await?,
    };
    // Copies of what lies at a URL must be there while the table is read.
    world.hold(name, found);
    Ok(table)
}

/// Read by the engine itself, which leaves out columns and row groups that a query does not need.
async fn parquet_files(files: &[InputFile], state: &SessionState) -> Result<Arc<dyn TableProvider>> {
    let (mut urls, mut schemas) = (Vec::new(), Vec::new());
    let format = ParquetFormat::default().with_force_view_types(false);
    let options = ListingOptions::new(Arc::new(format)).with_file_extension("");
    for InputFile { path, shown } in files {
        let absolute = std::path::absolute(path);
        let absolute = absolute.map_err(|source| Error::Io { action: "read", path: shown.into(), source })?;
        let url = ListingTableUrl::try_new(Url::from_file_path(&absolute).expect("it is absolute"), None)?;
        schemas.push(options.infer_schema(state, &url).await?.as_ref().clone());
        urls.push(url);
    }
    let schema = Schema::try_merge(schemas).map_err(|e| {
        let problem = format!("the files can't be one table: {e}; name those of one kind");
        Error::File { file: files[0].shown.clone(), problem }
    })?;
    let config = ListingTableConfig::new_with_multi_paths(urls);
    let config = config.with_listing_options(options).with_schema(Arc::new(schema));
    Ok(Arc::new(ListingTable::try_new(config)?))
}

/// Read as `load` reads them: the same columns with the same types.
async fn text_files(files: Vec<InputFile>) -> Result<Arc<dyn TableProvider>> {
    let inspected = tokio::task::spawn_blocking(move || {
        let inspect = |file| read::inspect(file, &TextOptions::default(), &Schema::empty(), Depth::Whole);
        let columns = files.iter().map(inspect).collect::<Result<Vec<_>>>()?;
        Ok((files, columns))
    });
    let (files, inspected) = crate::joined(inspected.await)?;
    let columns = inspected.iter().flat_map(|inspection| &inspection.columns);
    let columns = all_columns(columns.map(|(name, data_type)| (name.as_str(), data_type.clone())));
    let field =
        |(name, data_type): (&str, Option<DataType>)| Field::new(name, data_type.unwrap_or(DataType::Utf8), true);
    let schema: SchemaRef = Arc::new(Schema::new(columns.into_iter().map(field).collect::<Vec<_>>()));
    let rows = |file| Arc::new(TextRows { file, schema: Arc::clone(&schema) }) as Arc<dyn PartitionStream>;
    Ok(Arc::new(StreamingTable::try_new(Arc::clone(&schema), files.into_iter().map(rows).collect())?))
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
            let work = |rows: Rows| typed(&file, &rows, &schema);
            let read = read::read(&file, &TextOptions::default(), &names, work, &mut |batch| {
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
    rows.check(file)?;
    let columns = schema.fields().iter().map(|field| {
        let Some(array) = rows.batch.column_by_name(field.name()) else {
            return Ok(new_null_array(field.data_type(), rows.batch.num_rows()));
        };
        conform(array, field.data_type()).map_err(|misfit| Error::WrongValue {
            place: format!("{}, {}", file.shown, rows.origin(rows.places[misfit.row], 0)),
            column: field.name().clone(),
            value: misfit.value,
            problem: misfit.problem,
        })
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect::<Result<Vec<_>>>()?).map_err(Error::from)
}
