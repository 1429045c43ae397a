//! Defines `build`: new raw rows become core rows through the staging files. What a core table has taken in is recorded
//! in the very commit that adds the rows, so that a build killed anywhere goes on where it stopped, and none is added
//! twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Int64Type, Schema, SchemaRef};
use futures::{Stream, StreamExt, stream};
use store::{Append, CUSTOMER_ID, EVENT_TIME, KNOWN_TIME, Layout, Snapshot, Table};

use crate::Warehouse;
use crate::catalog::{Definition, SET_ASIDE_TABLE};
use crate::conform::{canonical_ids, conform_stored};
use crate::ddl::Columns;
use crate::error::{Error, Result};
use crate::faults::Faults;
use crate::moves::MOVES;
use crate::session::{Batches, SessionOptions};

/// What a build did.
#[derive(Debug, Clone)]
pub struct BuildReport {
    /// Staging files that had new raw rows.
    pub built: Vec<Built>,
    /// Staging files that did not run.
    pub skipped: Vec<Skipped>,
    /// Raw tables that no staging file reads: their rows go nowhere.
    pub unread: Vec<String>,
    /// Raw rows left out by these runs.
    pub set_aside: Vec<SetAside>,
    /// The newest snapshot; a new one if a core table changed.
    pub snapshot: Snapshot,
}

/// One run of a staging file.
#[derive(Debug, Clone)]
pub struct Built {
    /// Folder of the staging file.
    pub source: String,
    /// Table that it feeds.
    pub table: String,
    /// Rows added to it.
    pub rows: u64,
    /// Delta version of each raw table read.
    pub raw: BTreeMap<String, u64>,
}

/// A staging file that did not run.
#[derive(Debug, Clone)]
pub struct Skipped {
    /// Path below `sql/`.
    pub path: String,
    /// Why.
    pub reason: String,
    /// Whether somebody counts on it: it is the project's own, or raw tables that it reads are loaded.
    pub is_in_use: bool,
}

/// Raw rows that staging left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Source whose rows they are.
    pub source: String,
    /// Table they would have gone to.
    pub core_table: String,
    /// Why they were left out.
    pub reason: String,
    /// How many.
    pub rows: i64,
}

/// A staging file that can run.
struct Step<'a> {
    staging: &'a Definition,
    target: &'a Definition,
    target_name: String,
    driver: String,
    raw: BTreeMap<String, u64>,
}

impl Warehouse {
    /// Runs every staging file whose driver has new files, and commits one snapshot at the end.
    ///
    /// # Errors
    /// [`Error::Staging`] names the file, the column and what the raw table has.
    pub async fn build(&self) -> Result<BuildReport> {
        let before = self.store().snapshot().await?;
        let (mut built, mut skipped, mut set_aside) = (Vec::new(), Vec::new(), Vec::new());
        let mut versions = BTreeMap::new();
        for staging in self.catalog().staging() {
            let step = match self.step(staging, &before)? {
                Ok(step) => step,
                Err(reason) => {
                    // Shipped sources that nobody loads are no news.
                    let mut loaded = staging.reads.iter().filter(|name| before.tables.contains_key(*name));
                    let is_in_use = !staging.is_shipped() || loaded.next().is_some();
                    skipped.push(Skipped { path: staging.path.clone(), reason, is_in_use });
                    continue;
                }
            };
            if let Some((run, table)) = self.run(&step, &before, &mut set_aside).await? {
                versions.insert(step.target_name, table.version);
                built.extend(run);
            }
        }
        let is_read = |name: &String| self.catalog().staging().any(|staging| staging.reads.contains(name));
        let raw = before.tables.keys().filter(|name| name.starts_with("raw."));
        let unread = raw.filter(|name| !is_read(name)).cloned().collect();
        if let Some(version) = self.note_moves(&versions, Some(before.epoch)).await? {
            versions.insert(MOVES.into(), version);
        }
        let snapshot = self.store().commit_snapshot("build", versions).await?;
        Ok(BuildReport { built, skipped, unread, set_aside, snapshot })
    }

    /// What a staging file needs to run, or why it can't.
    fn step<'a>(&'a self, staging: &'a Definition, snapshot: &Snapshot) -> Result<Result<Step<'a>, String>> {
        let fail = |problem: String| Error::Staging { path: staging.path.clone(), problem };
        let target_name = staging.target().unwrap_or_default();
        let target =
            self.catalog().get(&target_name).ok_or_else(|| fail(format!("there is no table {target_name}")))?;
        let driver = match (&staging.header.driver, staging.reads.as_slice()) {
            (Some(driver), reads) if reads.contains(driver) => driver.clone(),
            (Some(driver), _) => return Err(fail(format!("its driver {driver} is none of the tables it reads"))),
            (None, [only]) => only.clone(),
            (None, []) => return Err(fail("it reads no raw table".into())),
            (None, reads) => {
                let line = "say which one's new files count with a line \"-- driver: raw.<table>\"";
                return Err(fail(format!("it reads {}: {line}", reads.join(", "))));
            }
        };
        let mut raw = BTreeMap::new();
        for name in &staging.reads {
            match snapshot.tables.get(name) {
                Some(version) => raw.insert(name.clone(), *version),
                None => return Ok(Err(format!("{name} is not loaded"))),
            };
        }
        Ok(Ok(Step { staging, target, target_name, driver, raw }))
    }

    /// Adds the rows of the driver's new files. `None` if there were never any; the table without a run if it has them
    /// already.
    async fn run(
        &self,
        step: &Step<'_>,
        before: &Snapshot,
        set_aside: &mut Vec<SetAside>,
    ) -> Result<Option<(Option<Built>, Table)>> {
        let existing = self.store().latest(&step.target_name).await?;
        let transaction = format!("staging:{}", step.staging.name);
        let taken = match &existing {
            Some(table) => table.transaction(&transaction).await?.map(|version| version as u64),
            None => None,
        };
        let version = step.raw[&step.driver];
        let driver = self.store().table(&step.driver, version).await?;
        let new_files = match (taken, existing) {
            (Some(taken), Some(table)) if taken >= version => return Ok(Some((None, table))),
            (Some(taken), _) => driver.files_since(&self.store().table(&step.driver, taken).await?),
            (None, _) => driver.files.clone(),
        };
        let options = SessionOptions { snapshot: Some(before.id), ..SessionOptions::default() };
        let session = self.session_over(options, BTreeMap::from([(step.driver.clone(), new_files)])).await?;
        let query = session.sql(&step.staging.sql).await.map_err(|e| step.fail(e.to_string()))?;
        let columns = step.check_columns(&query.schema())?;
        let rows = AtomicU64::new(0);
        let kept = (step.target_name == SET_ASIDE_TABLE).then_some(set_aside);
        let batches = step.core_rows(query.stream().await?, &columns, &rows, kept);
        let operation = format!("build {} from {}", step.target_name, step.staging.name);
        let append = Append {
            operation,
            schema: Arc::clone(&columns),
            transactions: vec![(transaction, version as i64)],
            epoch: Some(before.epoch),
        };
        let layout = self.layout(step.target);
        let table = self.store().append(&step.target_name, &layout, append, batches).await?;
        let built = Built {
            source: step.staging.source().unwrap_or_default().to_string(),
            table: step.target_name.clone(),
            rows: rows.into_inner(),
            raw: step.raw.clone(),
        };
        Ok(Some((Some(built), table)))
    }

    /// Core tables about customers are clustered by customer.
    pub(crate) fn layout(&self, table: &Definition) -> Layout {
        let has_customer = table.columns.as_ref().is_some_and(|columns| columns.index_of(CUSTOMER_ID).is_ok());
        match table.schema == "core" && has_customer {
            true => Layout::Clustered { buckets: self.store().buckets(), key: table.header.key.clone() },
            false => Layout::Plain,
        }
    }
}

impl Step<'_> {
    fn fail(&self, problem: String) -> Error {
        Error::Staging { path: self.staging.path.clone(), problem }
    }

    /// The target's columns, if the staging file gives no others and all that may not be NULL.
    fn check_columns(&self, given: &Schema) -> Result<SchemaRef> {
        let columns = self.target.columns.clone().unwrap_or_else(|| Arc::new(Schema::empty()));
        if let Some(field) = given.fields().iter().find(|field| columns.index_of(field.name()).is_err()) {
            let (name, table) = (field.name(), &self.target_name);
            return Err(self.fail(format!("column {name} is none of {table}, which has {}", Columns(&columns))));
        }
        match self.required(&columns).into_iter().find(|name| given.index_of(name).is_err()) {
            Some(name) => Err(self.fail(format!("it gives no column {name}, which {} needs", self.target_name))),
            None => Ok(columns),
        }
    }

    /// The columns that may not be NULL: both clocks, and the key.
    fn required(&self, columns: &Schema) -> Vec<String> {
        let clocks = [EVENT_TIME, KNOWN_TIME].map(String::from);
        let mut names: Vec<String> = clocks.into_iter().filter(|name| columns.index_of(name).is_ok()).collect();
        names.extend(self.target.header.key.iter().cloned());
        names
    }

    /// The staged rows as rows of the target, counted into `rows`; ends with an error if one of them can't be.
    fn core_rows<'a>(
        &'a self,
        batches: Batches,
        columns: &SchemaRef,
        rows: &'a AtomicU64,
        mut set_aside: Option<&'a mut Vec<SetAside>>,
    ) -> impl Stream<Item = Result<RecordBatch>> + Send + 'a {
        let columns = Arc::clone(columns);
        let faults = Arc::new(Mutex::new(Faults::new(self.target, self.required(&columns))));
        let seen = Arc::clone(&faults);
        let converted = batches.map(move |batch| {
            let batch = self.convert(&batch.map_err(|e| self.fail(e.to_string()))?, &columns)?;
            faults.lock().unwrap_or_else(PoisonError::into_inner).count(&batch);
            rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            if let Some(set_aside) = set_aside.as_deref_mut() {
                set_aside.extend(reasons(&batch));
            }
            Ok(batch)
        });
        // Only at the end, so that the message can say how many rows it is about; the append then fails as a whole.
        let verdict = stream::once(async move {
            let verdict = seen.lock().unwrap_or_else(PoisonError::into_inner).verdict();
            verdict.map(|problem| Err(self.fail(problem)))
        });
        converted.chain(verdict.filter_map(|error| async move { error }))
    }

    fn convert(&self, batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch> {
        let column = |(name, data_type): (&String, &DataType)| -> Result<ArrayRef> {
            let Some(array) = batch.column_by_name(name) else {
                return Ok(new_null_array(data_type, batch.num_rows()));
            };
            let array = conform_stored(array, data_type).map_err(|misfit| Error::WrongValue {
                place: format!("sql/{}", self.staging.path),
                column: name.clone(),
                value: misfit.value,
                problem: misfit.problem,
            })?;
            // customer_id, other_customer_id
            Ok(match name.ends_with(CUSTOMER_ID) {
                true => Arc::new(canonical_ids(array.as_string())),
                false => array,
            })
        };
        let arrays = columns.fields().iter().map(|field| column((field.name(), field.data_type())));
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(Arc::clone(columns), arrays).map_err(Error::from)
    }
}

/// The rows of a batch of `quality.set_aside`.
fn reasons(batch: &RecordBatch) -> Vec<SetAside> {
    let text = |name: &str, row: usize| {
        let column = batch.column_by_name(name).and_then(|column| column.as_string_opt::<i32>());
        column.filter(|column| column.is_valid(row)).map(|column| column.value(row).to_string()).unwrap_or_default()
    };
    let counts = batch.column_by_name("row_count").and_then(|column| column.as_primitive_opt::<Int64Type>());
    let set_aside = |row: usize| SetAside {
        source: text("source", row),
        core_table: text("core_table", row),
        reason: text("reason", row),
        rows: counts.map_or(0, |counts| counts.value(row)),
    };
    (0..batch.num_rows()).map(set_aside).collect()
}
