//! Defines `erase`, the right to be forgotten: a customer's rows leave every version of every table and of what was
//! published. Snapshots stay readable, without them. What was done is in `audit.erasures`, without a word about whom.

mod keys;
mod mention;
mod origin;
mod quoted;
mod rows;
mod rules;
mod staged;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::Int64Type;
use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use store::{Eraser, LEASE, Publisher, Snapshot, Store};

use crate::Warehouse;
use crate::conform::canonical_ids;
use crate::error::{Error, Result};
use crate::session::SessionOptions;
use rules::by_id;

const RECEIPTS: &str = "audit.erasures";

/// Whom to erase, and where.
#[derive(Debug, Clone, Default)]
pub struct EraseOptions {
    /// Ids, as `customer_id` has them or as files write them.
    pub customers: Vec<String>,
    /// Only says what would go.
    pub is_dry_run: bool,
    /// Where the warehouse was published to: folders or URLs.
    pub published: Vec<String>,
    /// Settings of the object stores of these.
    pub environment: Vec<(String, String)>,
    /// Who does it, for those who find the warehouse locked.
    pub owner: String,
}

/// What was erased, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EraseReport {
    /// Random, and in `audit.erasures`; None if nothing was found, or nothing was to be changed.
    pub receipt_id: Option<String>,
    /// When it was decided.
    pub erased_at: DateTime<Utc>,
    /// How many customers.
    pub customers: u64,
    /// The receipt of an earlier erasure that was killed and has been finished first.
    pub finished: Option<String>,
    /// Tables of the warehouse that had such rows.
    pub tables: Vec<ErasedTable>,
    /// Published tables that had such rows, by target and name.
    pub published: Vec<ErasedTable>,
    /// Runs that can't be repeated exactly any more, because their snapshot held such rows.
    pub runs: Vec<UnrepeatableRun>,
    /// Raw tables, publish targets and files of others that somebody has to look at.
    pub unsearched: Vec<UnsearchedTable>,
}

/// A table that had such rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedTable {
    /// `schema.name`; of a published one target and name.
    pub name: String,
    /// Rows, over all files: one that was merged is in several.
    pub rows: u64,
    /// Files rewritten.
    pub files: u64,
    /// Snapshots, or published versions, that held them.
    pub snapshots: Vec<u64>,
}

/// A run trained on what is no longer there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnrepeatableRun {
    /// Its id.
    pub run_id: String,
    /// Its snapshot.
    pub snapshot: u64,
}

/// A raw table in which nothing tells whose a row is, a publish target in which nothing is published, or a file below the
/// root of the warehouse that is none of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsearchedTable {
    /// `raw.name`, the target's URL, or the file.
    pub name: String,
    /// Why.
    pub why: String,
}

/// Where the warehouse was published to.
struct Targets {
    published: Vec<Publisher>,
    /// URLs of those where nothing is.
    empty: Vec<String>,
}

impl Targets {
    async fn open(options: &EraseOptions) -> Result<Targets> {
        let mut targets = Targets { published: Vec::new(), empty: Vec::new() };
        for url in &options.published {
            let publisher = Publisher::open(url, options.environment.iter().cloned())?;
            match publisher.is_empty().await? {
                true => targets.empty.push(publisher.url().to_string()),
                false => targets.published.push(publisher),
            }
        }
        Ok(targets)
    }
}

/// What an erasure notes when it is decided, so that whoever finishes it can write the receipt.
#[derive(Serialize, Deserialize)]
struct Note {
    report: EraseReport,
    /// URLs of targets, which name the same ones wherever the erasure is finished.
    published: Vec<String>,
}

impl Warehouse {
    /// Erases customers, or says what would go. Finishes an erasure that was killed first. Afterwards this handle can't
    /// write any more: it may have read what is gone.
    ///
    /// # Errors
    /// [`store::Error::Erasing`] while somebody else does, [`Error::Argument`] for an empty id.
    pub async fn erase(&self, options: &EraseOptions) -> Result<EraseReport> {
        let mut report = self.erase_rows(options).await?;
        // Not in the receipt: a file's name may say whom it is about.
        let foreign = self.store().foreign().await?.into_iter();
        let why = || "no table, snapshot or run has it, so nothing was looked for in it".to_owned();
        report.unsearched.extend(foreign.map(|name| UnsearchedTable { name, why: why() }));
        Ok(report)
    }

    async fn erase_rows(&self, options: &EraseOptions) -> Result<EraseReport> {
        let given: StringArray = options.customers.iter().map(|id| Some(id.as_str())).collect();
        let given = canonical_ids(&given);
        let ids: BTreeSet<String> = given.iter().flatten().map(String::from).collect();
        if ids.is_empty() || given.null_count() > 0 {
            let valid = "give the customer_id of core.customers".into();
            return Err(Error::Argument { what: "customer", value: options.customers.join(", "), valid });
        }
        if options.is_dry_run {
            return self.find(self.store(), None, &ids, &Targets::open(options).await?).await;
        }
        let mut eraser = self.store().begin_erase(&options.owner, LEASE).await?;
        let mut finished = None;
        if let Some(note) = eraser.decided().await? {
            let note: Note = serde_json::from_value(note).map_err(|e| damaged(&e))?;
            self.complete(&eraser, &note, options).await?;
            finished = note.report.receipt_id;
            eraser.finish().await?;
            eraser = self.store().begin_erase(&options.owner, LEASE).await?;
        }
        let decided = self.decide(&mut eraser, &ids, options).await;
        let note = match decided {
            Ok(note) if note.report.receipt_id.is_some() => note,
            other => {
                let abandoned = eraser.abandon().await;
                let report = other?.report;
                abandoned?;
                return Ok(EraseReport { finished, ..report });
            }
        };
        self.complete(&eraser, &note, options).await?;
        eraser.finish().await?;
        Ok(EraseReport { finished, ..note.report })
    }

    /// Finds and copies; from here on the erasure will be done.
    async fn decide(&self, eraser: &mut Eraser, ids: &BTreeSet<String>, options: &EraseOptions) -> Result<Note> {
        // Not before the lock: somebody could publish meanwhile.
        let targets = Targets::open(options).await?;
        let store = eraser.store().clone();
        let receipt_id = eraser.id().to_string();
        let found = self.find(&store, Some(eraser), ids, &targets).await?;
        if found.tables.is_empty() && found.published.is_empty() {
            return Ok(Note { report: found, published: Vec::new() });
        }
        let report = EraseReport { receipt_id: Some(receipt_id), ..found };
        let published = targets.published.iter().map(|publisher| publisher.url().to_string()).collect();
        let note = Note { report, published };
        eraser.decide(serde_json::to_value(&note).map_err(|e| damaged(&e))?).await?;
        Ok(note)
    }

    /// Looks for the rows and copies files without them; without an eraser only counts.
    async fn find(
        &self,
        store: &Store,
        mut eraser: Option<&mut Eraser>,
        ids: &BTreeSet<String>,
        targets: &Targets,
    ) -> Result<EraseReport> {
        let search = self.search(store, ids).await?;
        let snapshots = store.snapshots().await?;
        let mut tables = Vec::new();
        for found in &search.tables {
            let name = &found.all.table;
            let mut table = ErasedTable { name: name.clone(), rows: 0, files: 0, snapshots: Vec::new() };
            let mut held = BTreeSet::new();
            for file in found.files() {
                let rows = found.erase(store, eraser.as_deref_mut(), file).await?;
                if rows > 0 {
                    (table.rows, table.files) = (table.rows + rows, table.files + 1);
                    let has =
                        |snapshot: &&Snapshot| snapshot.tables.get(name).is_some_and(|version| file.is_in(*version));
                    held.extend(snapshots.iter().filter(has).map(|snapshot| snapshot.id));
                }
            }
            if table.files > 0 {
                tables.push(ErasedTable { snapshots: held.into_iter().collect(), ..table });
            }
        }
        let mut published = Vec::new();
        for publisher in &targets.published {
            let erased = publisher.prepare_erase(&by_id(ids), eraser.is_none()).await?;
            published.extend(erased.tables.into_iter().map(|(table, (rows, files))| {
                let name = format!("{} {table}", publisher.url());
                ErasedTable { name, rows, files, snapshots: erased.versions.clone() }
            }));
        }
        let touched: BTreeSet<u64> = tables.iter().flat_map(|table| table.snapshots.iter().copied()).collect();
        let nothing_there = targets.empty.iter().map(|url| (url.clone(), "nothing is published there".to_owned()));
        let unsearched = search.unsearched.into_iter().chain(nothing_there);
        let unsearched = unsearched.map(|(name, why)| UnsearchedTable { name, why });
        Ok(EraseReport {
            receipt_id: None,
            erased_at: Utc::now().trunc_subsecs(6),
            customers: ids.len() as u64,
            finished: None,
            runs: self.runs_on(&touched).await?,
            tables,
            published,
            unsearched: unsearched.collect(),
        })
    }

    /// Does what was decided, and writes the receipt.
    async fn complete(&self, eraser: &Eraser, note: &Note, options: &EraseOptions) -> Result<()> {
        eraser.apply().await?;
        for url in &note.published {
            Publisher::open(url, options.environment.iter().cloned())?.apply_erase().await?;
        }
        let receipt = receipt(&note.report)?;
        let transaction = format!("erase:{}", note.report.receipt_id.as_deref().unwrap_or_default());
        let writer = Warehouse { store: eraser.store().clone(), ..self.clone() };
        writer.append(vec![(RECEIPTS, vec![receipt])], &transaction, "erase").await?;
        Ok(())
    }

    async fn runs_on(&self, snapshots: &BTreeSet<u64>) -> Result<Vec<UnrepeatableRun>> {
        let session = self.session_over(SessionOptions::default(), BTreeMap::new()).await?;
        let runs = session.sql("SELECT run_id, snapshot FROM models.runs ORDER BY run_id").await?;
        let mut found = Vec::new();
        for batch in runs.collect().await? {
            let (ids, read) = (batch.column(0).as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
            for (run_id, snapshot) in ids.iter().zip(read) {
                let (Some(run_id), Some(snapshot)) = (run_id, snapshot.map(|snapshot| snapshot as u64)) else {
                    continue;
                };
                if snapshots.contains(&snapshot) {
                    found.push(UnrepeatableRun { run_id: run_id.to_string(), snapshot });
                }
            }
        }
        Ok(found)
    }
}

/// The rows of `audit.erasures`.
fn receipt(report: &EraseReport) -> Result<RecordBatch> {
    /// Kind, name, rows, files, snapshots, note.
    type Line = (&'static str, String, Option<u64>, Option<u64>, String, Option<String>);
    let table = |kind: &'static str, table: &ErasedTable| -> Line {
        (kind, table.name.clone(), Some(table.rows), Some(table.files), ranges(&table.snapshots), None)
    };
    let run = |run: &UnrepeatableRun| -> Line {
        let note = format!("can't be repeated exactly: snapshot {} held rows that are gone", run.snapshot);
        ("run", run.run_id.clone(), None, None, run.snapshot.to_string(), Some(note))
    };
    let unsearched = |t: &UnsearchedTable| -> Line {
        ("unsearched", t.name.clone(), None, None, String::new(), Some(t.why.clone()))
    };
    let lines: Vec<Line> = (report.tables.iter().map(|t| table("table", t)))
        .chain(report.published.iter().map(|t| table("published", t)))
        .chain(report.runs.iter().map(run))
        .chain(report.unsearched.iter().map(unsearched))
        .collect();
    let count = lines.len();
    let texts = |get: &dyn Fn(&Line) -> Option<String>| -> ArrayRef {
        Arc::new(lines.iter().map(get).collect::<StringArray>())
    };
    let numbers = |get: &dyn Fn(&Line) -> Option<u64>| -> ArrayRef {
        Arc::new(lines.iter().map(|line| get(line).map(|number| number as i64)).collect::<Int64Array>())
    };
    let at = TimestampMicrosecondArray::from(vec![report.erased_at.timestamp_micros(); count]).with_timezone("UTC");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("receipt_id", texts(&|_| report.receipt_id.clone())),
        ("erased_at", Arc::new(at)),
        ("program", texts(&|_| Some(concat!("perennial ", env!("CARGO_PKG_VERSION")).to_string()))),
        ("customers", numbers(&|_| Some(report.customers))),
        ("kind", texts(&|line| Some(line.0.to_string()))),
        ("name", texts(&|line| Some(line.1.clone()))),
        ("row_count", numbers(&|line| line.2)),
        ("file_count", numbers(&|line| line.3)),
        ("snapshots", texts(&|line| Some(line.4.clone()))),
        ("note", texts(&|line| line.5.clone())),
    ];
    Ok(RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))?)
}

/// Numbers in order, as `1-4, 7`.
fn ranges(numbers: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let shown = ranges.into_iter().map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") });
    shown.collect::<Vec<_>>().join(", ")
}

fn damaged(error: &serde_json::Error) -> Error {
    store::Error::Damaged { path: "the journal of an erasure".into(), reason: error.to_string() }.into()
}
