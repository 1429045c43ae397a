//! From files to tables to rows: init, open, load, build, describe, sql, features.

use crate::error::{Error, Result};
use crate::progress::Progress;
use serde::Serialize;
use std::path::Path;
use std::time::Instant;
use store::{Optimized, Store};
use warehouse::{Described, FileFormat, LoadOptions, Query, Session, SessionOptions, Spine, Warehouse, write_file};

/// All features of a spine row.
const FEATURES: &str = "SELECT * FROM features.customer ORDER BY customer_id, as_of";
/// The same with what then happened: a training set.
const FEATURES_AND_LABELS: &str = "SELECT f.*, c.churned, n.next_at, n.days_to_next, n.product_id AS next_product_id, \
    n.category AS next_category, v.value, v.order_count \
    FROM features.customer f \
    JOIN labels.churn c ON c.customer_id = f.customer_id AND c.as_of = f.as_of \
    JOIN labels.next_purchase n ON n.customer_id = f.customer_id AND n.as_of = f.as_of \
    JOIN labels.value v ON v.customer_id = f.customer_id AND v.as_of = f.as_of \
    ORDER BY f.customer_id, f.as_of";

/// Makes a new warehouse. `environment` holds the object store's settings (AWS_…, AZURE_…, GOOGLE_…).
pub async fn init(
    url: &str,
    buckets: u32,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Warehouse> {
    Ok(Warehouse::open(Store::init(url, environment, buckets).await?, None)?)
}

/// Opens a warehouse. Files in `sql` add to or override the shipped tables and views.
pub async fn open(
    url: &str,
    sql: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Warehouse> {
    Ok(Warehouse::open(Store::open(url, environment).await?, sql)?)
}

/// What became of the files of a clustered table.
#[derive(Clone, Debug, Serialize)]
pub struct OptimizedTable {
    pub table: String,
    /// Files that were merged.
    pub merged: usize,
    /// Into how many.
    pub into: usize,
    /// Left alone, because work on it is not finished.
    pub is_busy: bool,
}

/// A night merges the files of a bucket that has more than so many: each of them costs every scan a little.
pub(crate) const CROWDED_FILES: usize = 8;

/// Merges the files of every bucket that has more than `most_files`, of these clustered tables or else of all.
pub async fn optimize(
    warehouse: &Warehouse,
    tables: &[String],
    most_files: usize,
    progress: &dyn Progress,
) -> Result<Vec<OptimizedTable>> {
    progress.start("optimize", None);
    let report = warehouse.optimize(tables, most_files).await?;
    let table = |(table, optimized): (String, Option<Optimized>)| OptimizedTable {
        table,
        merged: optimized.as_ref().map_or(0, |optimized| optimized.merged),
        into: optimized.as_ref().map_or(0, |optimized| optimized.into),
        is_busy: optimized.is_none(),
    };
    let tables: Vec<OptimizedTable> = report.tables.into_iter().map(table).collect();
    progress.finish(&format!("{} files merged", tables.iter().map(|table| table.merged).sum::<usize>()));
    Ok(tables)
}

/// What a load did.
#[derive(Clone, Debug, Serialize)]
pub struct LoadReport {
    pub table: String,
    pub files: usize,
    pub rows: u64,
    /// Rows that went to `quality.rejects`.
    pub rejects: usize,
    /// The first of them, in words.
    pub first_rejects: Vec<String>,
    /// Files whose content was loaded before.
    pub skipped: Vec<String>,
    /// The table's columns and what these files hold of them.
    pub columns: Vec<LoadedColumn>,
    /// Whether the table got columns, and with them their types, from these files.
    pub is_new_schema: bool,
    pub snapshot: u64,
}

/// A column of a raw table in the files of one load.
#[derive(Clone, Debug, Serialize)]
pub struct LoadedColumn {
    pub name: String,
    #[serde(rename = "type")]
    pub data_type: String,
    /// The files' type, where its values have another form in the table.
    pub file_type: Option<String>,
    /// Its first value.
    pub example: Option<String>,
    /// Rows without a value.
    pub nulls: u64,
}

/// Rejects that a report puts in words.
const FIRST_REJECTS: usize = 5;

/// Loads files, folders or globs into a raw table, all or nothing.
pub async fn load(
    warehouse: &Warehouse,
    table: &str,
    files: &[String],
    options: &LoadOptions,
    progress: &dyn Progress,
) -> Result<LoadReport> {
    progress.start(&format!("load {table}"), None);
    let started = Instant::now();
    let loaded = warehouse.load(table, files, options, &|rows| progress.at(rows)).await?;
    let column = |column: warehouse::LoadedColumn| LoadedColumn {
        file_type: loaded.file_types.get(&column.name).cloned(),
        name: column.name,
        data_type: column.data_type,
        example: column.example,
        nulls: column.nulls,
    };
    let report = LoadReport {
        table: loaded.table,
        files: loaded.files.len(),
        rows: loaded.rows,
        rejects: loaded.rejects.len(),
        first_rejects: loaded.rejects.iter().take(FIRST_REJECTS).map(ToString::to_string).collect(),
        skipped: loaded.skipped,
        columns: loaded.columns.into_iter().map(column).collect(),
        is_new_schema: loaded.is_new_schema,
        snapshot: loaded.snapshot.id,
    };
    let rate = report.rows as f64 / started.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
    progress.finish(&format!("{} rows from {} files, {rate:.0} rows/s", report.rows, report.files));
    Ok(report)
}

/// What a build did.
#[derive(Clone, Debug, Serialize)]
pub struct BuildReport {
    pub staged: Vec<Staged>,
    /// Staging files that did not run, and why.
    pub skipped: Vec<Skipped>,
    /// Raw tables that no staging file reads: their rows go nowhere.
    pub unread: Vec<String>,
    /// Raw rows left out, and why.
    pub set_aside: Vec<SetAside>,
    pub snapshot: u64,
}

/// Rows that one staging file added.
#[derive(Clone, Debug, Serialize)]
pub struct Staged {
    pub source: String,
    pub table: String,
    pub rows: u64,
}

/// A staging file that did not run.
#[derive(Clone, Debug, Serialize)]
pub struct Skipped {
    pub file: String,
    pub reason: String,
    /// Whether somebody counts on it, so that this is news: it is the project's own, or raw tables that it reads are loaded.
    pub is_in_use: bool,
}

/// Raw rows that staging left out.
#[derive(Clone, Debug, Serialize)]
pub struct SetAside {
    pub source: String,
    pub table: String,
    pub reason: String,
    pub rows: i64,
}

/// Turns what was loaded since the last build into core tables.
pub async fn build(warehouse: &Warehouse, progress: &dyn Progress) -> Result<BuildReport> {
    progress.start("build", None);
    let built = warehouse.build().await?;
    let staged: Vec<Staged> =
        built.built.into_iter().map(|b| Staged { source: b.source, table: b.table, rows: b.rows }).collect();
    let rows: u64 = staged.iter().map(|s| s.rows).sum();
    progress.finish(&format!("{rows} rows through {} staging files", staged.len()));
    let skipped = built.skipped.into_iter().map(|s| Skipped { file: s.path, reason: s.reason, is_in_use: s.is_in_use });
    let set_aside = built.set_aside.into_iter();
    Ok(BuildReport {
        staged,
        skipped: skipped.collect(),
        unread: built.unread,
        set_aside: set_aside
            .map(|s| SetAside { source: s.source, table: s.core_table, reason: s.reason, rows: s.rows })
            .collect(),
        snapshot: built.snapshot.id,
    })
}

/// Every table and view with its documentation.
pub async fn describe(warehouse: &Warehouse) -> Result<Vec<Described>> {
    Ok(warehouse.describe().await?)
}

/// What a query sees.
#[derive(Clone, Debug, Default)]
pub struct SqlOptions {
    /// An older snapshot.
    pub snapshot: Option<u64>,
    /// Customers and cut-offs that feature and label views speak of.
    pub spine: Spine,
    /// Days that labels look ahead.
    pub horizon_days: Option<u32>,
    /// Settings of the object stores that queries name files of.
    pub environment: Vec<(String, String)>,
}

/// SQL over one snapshot.
pub async fn session(warehouse: &Warehouse, options: &SqlOptions) -> Result<Session> {
    let SqlOptions { snapshot, spine, horizon_days, environment } = options.clone();
    let defaults = SessionOptions::default();
    let horizon_days = horizon_days.unwrap_or(defaults.horizon_days);
    Ok(warehouse.session(SessionOptions { snapshot, spine, horizon_days, environment, ..defaults }).await?)
}

/// Plans a query; its rows are streamed or collected from what it returns.
pub async fn sql(warehouse: &Warehouse, query: &str, options: &SqlOptions) -> Result<Query> {
    Ok(session(warehouse, options).await?.sql(query).await?)
}

/// Writes a query's rows to a file whose ending says the format. Returns their number.
pub async fn query_to_file(query: Query, file: &Path, progress: &dyn Progress) -> Result<u64> {
    let format = FileFormat::of(file)?;
    progress.start("query", None);
    let rows = write_file(query, file, format).await?;
    progress.finish(&format!("{rows} rows"));
    Ok(rows)
}

/// All features of every spine row; with a horizon the labels too.
pub async fn features(warehouse: &Warehouse, options: &SqlOptions) -> Result<Query> {
    must_have_facts(warehouse).await?;
    sql(warehouse, features_query(options), options).await
}

/// The same, written to a file.
pub async fn features_to_file(
    warehouse: &Warehouse,
    options: &SqlOptions,
    file: &Path,
    progress: &dyn Progress,
) -> Result<u64> {
    must_have_facts(warehouse).await?;
    query_to_file(sql(warehouse, features_query(options), options).await?, file, progress).await
}

async fn must_have_facts(warehouse: &Warehouse) -> Result<()> {
    let clock = warehouse.clock(&warehouse.store().snapshot().await?).await?;
    clock.map(drop).ok_or(Error::NoFacts)
}

fn features_query(options: &SqlOptions) -> &'static str {
    if options.horizon_days.is_some() { FEATURES_AND_LABELS } else { FEATURES }
}
