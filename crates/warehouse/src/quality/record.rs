//! Defines how what checks found is kept: the failing rows first, as a stream however many they are, then the results, and
//! both in one snapshot.
//!
//! A check of a snapshot by some rules is a transaction of both tables, numbered by its time. Killed between the two, it
//! leaves failing rows that no snapshot names; the next check of that snapshot finds them there and goes on under their
//! time.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::DataType;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use store::CUSTOMER_ID;

use super::check::{CheckReport, CheckResult, Failure, Outcome, Score};
use crate::Warehouse;
use crate::conform::conform;
use crate::ddl::quoted;
use crate::error::{Error, Result};
use crate::session::{Batches, Query, Session, SessionOptions};

const RESULTS: &str = "quality.results";
pub(crate) const FAILURES: &str = "quality.failures";
const OPERATION: &str = "check";
/// Failing rows of a rule that the report names.
const FIRST_FAILURES: usize = 5;

/// The rows of one failing rule on their way to `quality.failures`.
struct FailingRows {
    checked_at: i64,
    snapshot: u64,
    table: String,
    rule: String,
    key_columns: String,
    keys: usize,
    first: Arc<Mutex<Vec<Failure>>>,
}

impl Warehouse {
    /// Writes what was found, and gives it as it is in the tables.
    pub(super) async fn record(
        &self,
        session: &Session,
        outcomes: Vec<Outcome<'_>>,
        now: DateTime<Utc>,
    ) -> Result<CheckReport> {
        let snapshot = session.snapshot().id;
        let transaction = transaction(snapshot, &outcomes);
        let begun = match self.store().latest(FAILURES).await? {
            Some(table) => table.transaction(&transaction).await?,
            None => None,
        };
        let checked_at = begun.unwrap_or(now.timestamp_micros());
        let (mut queries, mut firsts) = (Vec::new(), Vec::with_capacity(outcomes.len()));
        for outcome in &outcomes {
            let first = Arc::default();
            firsts.push(Arc::clone(&first));
            if let Some((failing, key)) = &outcome.failing {
                let query = failing_rows(outcome, failing, key).await.map_err(|e| outcome.on.blame(e))?;
                let rows = FailingRows {
                    checked_at,
                    snapshot,
                    table: outcome.on.rule.table.clone(),
                    rule: outcome.on.rule.text.clone(),
                    key_columns: key.join(", "),
                    keys: key.len(),
                    first,
                };
                queries.push((query, rows));
            }
        }
        let transaction = (transaction, checked_at);
        let failures = self.append_as(FAILURES, stream_of(queries), transaction.clone(), OPERATION).await?;
        let batch = results(&outcomes, checked_at, snapshot)?;
        let batch = stream::iter([Ok(batch)]).boxed();
        let results = self.append_as(RESULTS, batch, transaction, OPERATION).await?;
        let versions = [(FAILURES.to_string(), failures), (RESULTS.to_string(), results)];
        let recorded = self.commit(OPERATION, versions.into()).await?.id;
        let checked_at = DateTime::from_timestamp_micros(checked_at).unwrap_or_default();
        let checked_at = checked_at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let scores = self.scores(recorded, &checked_at).await?;
        let first = |first: Arc<Mutex<Vec<Failure>>>| {
            std::mem::take(&mut *first.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let results = outcomes.into_iter().zip(firsts).map(|(outcome, failures)| result(outcome, first(failures)));
        Ok(CheckReport { checked_at, snapshot, results: results.collect(), scores })
    }

    async fn scores(&self, snapshot: u64, checked_at: &str) -> Result<Vec<Score>> {
        let session = self.session(SessionOptions { snapshot: Some(snapshot), ..SessionOptions::default() }).await?;
        let query = format!(
            "SELECT table_name, dimension, score, count_rules, count_failed FROM quality.scores
             WHERE checked_at = TIMESTAMP '{checked_at}' ORDER BY table_name, dimension"
        );
        let score = |row: Vec<Option<String>>| {
            let mut row = row.into_iter().flatten();
            Some(Score {
                table: row.next()?,
                dimension: row.next()?,
                score: row.next()?.parse().ok()?,
                rules: row.next()?.parse().ok()?,
                failed: row.next()?.parse().ok()?,
            })
        };
        Ok(texts(&session, &query).await?.into_iter().filter_map(score).collect())
    }
}

/// The same for the same rules over the same snapshot.
fn transaction(snapshot: u64, outcomes: &[Outcome<'_>]) -> String {
    let mut rules = Sha256::new();
    for rule in outcomes.iter().map(|outcome| outcome.on.rule) {
        rules.update(format!("{}\n{}\n", rule.table, rule.text));
    }
    let rules: String = rules.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("check:{snapshot}:{rules}")
}

/// The columns of the key, the customer, and the value.
async fn failing_rows(outcome: &Outcome<'_>, failing: &str, key: &[String]) -> Result<Query> {
    let session = outcome.on.session;
    let schema = session.sql(failing).await?.schema();
    let customer = match schema.index_of(CUSTOMER_ID) {
        Ok(_) => quoted(CUSTOMER_ID),
        Err(_) => "cast(NULL AS VARCHAR)".into(),
    };
    let keys: Vec<String> = key.iter().enumerate().map(|(i, name)| format!("{} AS _k{i}", quoted(name))).collect();
    session.sql(&format!("SELECT {}, {customer} AS _c, _value FROM ({failing}) AS f", keys.join(", "))).await
}

fn stream_of(queries: Vec<(Query, FailingRows)>) -> Batches {
    let rows = |(query, rows): (Query, FailingRows)| async move {
        let batches = query.stream().await?;
        Ok::<_, Error>(batches.map(move |batch| rows.batch(&batch?)))
    };
    stream::iter(queries).then(rows).try_flatten().boxed()
}

impl FailingRows {
    fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let texts = batch.columns().iter().map(text).collect::<Result<Vec<_>>>()?;
        let (keys, rest) = texts.split_at(self.keys);
        let key = |row: usize| {
            let parts: Vec<&str> = keys.iter().map(|key| shown(key, row).unwrap_or("NULL")).collect();
            parts.join(", ")
        };
        let keys: Vec<String> = (0..rows).map(key).collect();
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = FIRST_FAILURES - first.len();
        first.extend(
            keys.iter()
                .enumerate()
                .take(missing)
                .map(|(row, key)| Failure { key: key.clone(), value: shown(&rest[1], row).map(String::from) }),
        );
        let same = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values((0..rows).map(|_| text))) };
        let checked_at = TimestampMicrosecondArray::from_value(self.checked_at, rows).with_timezone("UTC");
        Ok(RecordBatch::try_from_iter_with_nullable([
            ("checked_at", Arc::new(checked_at) as ArrayRef, true),
            ("snapshot", Arc::new(Int64Array::from_value(self.snapshot as i64, rows)), true),
            ("table_name", same(&self.table), true),
            ("rule", same(&self.rule), true),
            ("key_columns", same(&self.key_columns), true),
            ("key_values", Arc::new(StringArray::from(keys)), true),
            ("customer_id", Arc::new(rest[0].clone()), true),
            ("value", Arc::new(rest[1].clone()), true),
        ])?)
    }
}

fn text(array: &ArrayRef) -> Result<StringArray> {
    let text = conform(array, &DataType::Utf8).map_err(|misfit| Error::WrongValue {
        place: FAILURES.into(),
        column: "value".into(),
        value: misfit.value,
        problem: misfit.problem,
    })?;
    Ok(text.as_string().clone())
}

fn shown(texts: &StringArray, row: usize) -> Option<&str> {
    texts.is_valid(row).then(|| texts.value(row))
}

/// The rows of a query as text.
pub(super) async fn texts(session: &Session, query: &str) -> Result<Vec<Vec<Option<String>>>> {
    let mut rows = Vec::new();
    for batch in session.sql(query).await?.collect().await? {
        let columns = batch.columns().iter().map(text).collect::<Result<Vec<_>>>()?;
        let cell = |row| columns.iter().map(|column| shown(column, row).map(String::from)).collect();
        rows.extend((0..batch.num_rows()).map(cell));
    }
    Ok(rows)
}

fn results(outcomes: &[Outcome<'_>], checked_at: i64, snapshot: u64) -> Result<RecordBatch> {
    let texts = |of: &dyn Fn(&Outcome) -> Option<String>| -> ArrayRef {
        Arc::new(outcomes.iter().map(of).collect::<StringArray>())
    };
    let counts = |of: fn(&Outcome) -> Option<u64>| -> ArrayRef {
        Arc::new(outcomes.iter().map(|outcome| of(outcome).map(|count| count as i64)).collect::<Int64Array>())
    };
    let numbers =
        |of: fn(&Outcome) -> Option<f64>| -> ArrayRef { Arc::new(outcomes.iter().map(of).collect::<Float64Array>()) };
    let checked_at = TimestampMicrosecondArray::from_value(checked_at, outcomes.len()).with_timezone("UTC");
    let passed: BooleanArray = outcomes.iter().map(|outcome| Some(outcome.passed)).collect();
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("checked_at", Arc::new(checked_at) as ArrayRef, true),
        ("snapshot", Arc::new(Int64Array::from_value(snapshot as i64, outcomes.len())), true),
        ("table_name", texts(&|outcome| Some(outcome.on.rule.table.clone())), true),
        ("rule", texts(&|outcome| Some(outcome.on.rule.text.clone())), true),
        ("dimension", texts(&|outcome| Some(outcome.on.rule.dimension.name().into())), true),
        ("severity", texts(&|outcome| Some(outcome.on.rule.severity.name().into())), true),
        ("passed", Arc::new(passed), true),
        ("rows_checked", counts(|outcome| outcome.checked), true),
        ("rows_failed", counts(|outcome| outcome.failed), true),
        ("value", numbers(|outcome| outcome.value), true),
        ("threshold", numbers(|outcome| Some(outcome.threshold)), true),
        ("note", texts(&|outcome| outcome.note.clone()), true),
    ])?)
}

fn result(outcome: Outcome<'_>, first_failures: Vec<Failure>) -> CheckResult {
    let Outcome { on, checked, failed, value, threshold, passed, note, failing: _ } = outcome;
    CheckResult {
        table: on.rule.table.clone(),
        rule: on.rule.text.clone(),
        dimension: on.rule.dimension,
        severity: on.rule.severity,
        passed,
        rows_checked: checked,
        rows_failed: failed,
        value,
        threshold,
        note,
        first_failures,
    }
}
