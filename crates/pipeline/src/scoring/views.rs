//! Views whose rows are scores: what they say at a cut-off, with the columns that tell one scoring from another.

use super::{Appended, SCORE, ScoreOptions, ScoredTable, Stamp};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::task::Task;
use crate::time::utc;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::SchemaRef;
use futures::{StreamExt, stream};
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use warehouse::{Catalog, Definition, Kind, Session, SessionOptions, Spine, Warehouse};

/// Columns of a score table that scoring fills; all others are the view's.
const FILLED: [&str; 4] = ["task", "run_id", "snapshot", "scored_at"];

/// That the view of a task and the table of its scores are defined, as far as that shows without the data.
///
/// # Errors
/// [`Error::Task`], also for a run and for embeddings: a view has none.
pub(crate) fn ready(warehouse: &Warehouse, task: &Task, options: &ScoreOptions) -> Result<()> {
    let Some(view) = &task.view else { return Ok(()) };
    let (catalog, table) = (warehouse.catalog(), format!("scores.{}", task.name));
    let is = |name: &str, kind: Kind| catalog.get(name).is_some_and(|definition| definition.kind == kind);
    let problem = if !is(view, Kind::View) {
        format!("there is no view {view}; the SELECT of sql/<schema>/<name>.sql makes one")
    } else if !is(&table, Kind::Table) {
        format!("there is no table {table}: a CREATE TABLE in sql/scores/{}.sql must define it", task.name)
    } else if let Some(run) = &options.run {
        format!("its answers are the rows of {view}, so it has no run {run}")
    } else if options.embeddings {
        format!("its answers are the rows of {view}, so it has no embeddings")
    } else {
        return Ok(());
    };
    Err(wrong(task, problem))
}

/// The rows of each task's view, all of which are `ready`.
pub(super) async fn scores(
    warehouse: &Warehouse,
    tasks: &[&Task],
    stamp: &Stamp,
    progress: &dyn Progress,
) -> Result<Vec<Appended>> {
    let (snapshot, spine) = (Some(stamp.snapshot), Spine::AsOf(utc(stamp.as_of)));
    let session = warehouse.session(SessionOptions { snapshot, spine, ..SessionOptions::default() }).await?;
    let mut appended = Vec::new();
    for task in tasks {
        let Some(view) = task.view.clone() else { continue };
        progress.start(&format!("score {}", task.name), None);
        let table = format!("scores.{}", task.name);
        let query = session.sql(&format!("SELECT * FROM {view}")).await?;
        must_match(warehouse.catalog(), task, &view, &table, &query.schema())?;
        let batches = query.collect().await?;
        let batches = batches.iter().map(|batch| stamped(batch, task, stamp)).collect::<Result<Vec<_>>>()?;
        let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        progress.finish(&format!("{rows} rows"));
        let read = read_from(warehouse.catalog(), &session, &view);
        let transaction = format!("score:{read}:{}:{}", stamp.as_of, task.name);
        let batches = stream::iter(batches.into_iter().map(Ok)).boxed();
        let version = warehouse.append_stream(&table, batches, &transaction, SCORE).await?;
        let scored = ScoredTable { table, task: task.name.clone(), run_id: None, view: Some(view), rows };
        appended.push(Appended { scored, version });
    }
    Ok(appended)
}

/// That the view has exactly the columns of the table that scoring does not fill.
fn must_match(catalog: &Catalog, task: &Task, view: &str, table: &str, found: &SchemaRef) -> Result<()> {
    let columns = catalog.get(table).and_then(|definition| definition.columns.clone());
    let names = |schema: &SchemaRef| -> BTreeSet<String> { schema.fields().iter().map(|f| f.name().clone()).collect() };
    let wanted: BTreeSet<String> =
        columns.iter().flat_map(names).filter(|name| !FILLED.contains(&name.as_str())).collect();
    let found = names(found);
    let list = |names: Vec<&String>| names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let (missing, more) = (list(wanted.difference(&found).collect()), list(found.difference(&wanted).collect()));
    let key = ["customer_id", "as_of"].into_iter().find(|name| !wanted.contains(*name));
    let problem = match (key, missing.is_empty(), more.is_empty()) {
        (Some(key), ..) => {
            format!("{table} has no column {key}; it needs customer_id, as_of and {}", FILLED.join(", "))
        }
        (None, true, true) => return Ok(()),
        (None, false, true) => format!("{view} lacks columns of {table}: {missing}"),
        (None, true, false) => format!("{view} has columns that {table} lacks: {more}"),
        (None, false, false) => format!("{view} lacks columns of {table}: {missing}; and {table} lacks: {more}"),
    };
    Err(wrong(task, problem))
}

fn wrong(task: &Task, problem: String) -> Error {
    Error::Task { task: task.name.clone(), problem }
}

/// Rows of the view with the columns that scoring fills; a view has no run.
fn stamped(rows: &RecordBatch, task: &Task, stamp: &Stamp) -> Result<RecordBatch> {
    let count = rows.num_rows();
    let scored_at = TimestampMicrosecondArray::from_value(stamp.scored_at, count).with_timezone("UTC");
    let filled: [(&str, ArrayRef); 3] = [
        ("task", Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&task.name, count)))),
        ("snapshot", Arc::new(Int64Array::from_value(stamp.snapshot as i64, count))),
        ("scored_at", Arc::new(scored_at)),
    ];
    let schema = rows.schema();
    let own = schema.fields().iter().map(|field| field.name().as_str()).zip(rows.columns().iter().cloned());
    Ok(RecordBatch::try_from_iter_with_nullable(own.chain(filled).map(|(name, array)| (name, array, true)))?)
}

/// What decides about the rows of a view: the versions of the tables it is made of, and the SQL. Rows made of the same are
/// one score, however often a kill or an idle night repeats it.
fn read_from(catalog: &Catalog, session: &Session, view: &str) -> String {
    let made_of = made_of(catalog, view);
    let mut sql = DefaultHasher::new();
    made_of.iter().for_each(|definition| definition.sql.hash(&mut sql));
    let names: BTreeSet<String> = made_of.iter().map(|definition| definition.full_name()).collect();
    let versions = session.snapshot().tables.iter().filter(|(name, _)| names.contains(*name));
    let versions: Vec<String> = versions.map(|(name, version)| format!("{name}@{version}")).collect();
    format!("{}:{:016x}", versions.join("+"), sql.finish())
}

/// A view and all that it reads, by name.
fn made_of<'a>(catalog: &'a Catalog, view: &str) -> Vec<&'a Definition> {
    let (mut found, mut next) = (BTreeSet::new(), vec![view.to_string()]);
    while let Some(name) = next.pop() {
        if found.insert(name.clone()) {
            next.extend(catalog.get(&name).into_iter().flat_map(|definition| definition.reads.iter().cloned()));
        }
    }
    found.iter().filter_map(|name| catalog.get(name)).collect()
}
