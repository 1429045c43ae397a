//! Defines [`Warehouse::check`]: tests the rules of tables and views on the newest snapshot. Of each table the rules that
//! look at single rows are counted in one pass; only rows of rules that fail are looked for again, to be recorded.

use std::collections::BTreeMap;

use chrono::{SubsecRound, Utc};
use serde::Serialize;

use super::rule::{CHECKS, usages};
use super::subject::{Relation, Subject, numbers, unplaced};
use super::{Dimension, Rule, Severity, Test};
use crate::Warehouse;
use crate::catalog::Kind;
use crate::error::{Error, Result};
use crate::problem::similar;
use crate::session::{Session, SessionOptions};

/// Which checks are made.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// Of these tables and views; of all without any.
    pub tables: Vec<String>,
    /// Those of at least this severity.
    pub severity: Severity,
}

impl Default for CheckOptions {
    fn default() -> Self {
        CheckOptions { tables: Vec::new(), severity: Severity::Warn }
    }
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// As in `quality.results` and `quality.failures`.
    pub checked_at: String,
    /// The snapshot that was looked at.
    pub snapshot: u64,
    /// By table, in the order of the headers.
    pub results: Vec<CheckResult>,
    /// From `quality.scores`.
    pub scores: Vec<Score>,
}

/// What came of one rule.
#[derive(Debug, Clone, Serialize)]
pub struct CheckResult {
    pub table: String,
    pub rule: String,
    pub dimension: Dimension,
    pub severity: Severity,
    pub passed: bool,
    /// Rows that the rule is about; `None` where it is about the table.
    pub rows_checked: Option<u64>,
    pub rows_failed: Option<u64>,
    /// The share of failing rows, or the number measured.
    pub value: Option<f64>,
    /// What the value is compared with.
    pub threshold: f64,
    pub note: Option<String>,
    /// The first of the rows in `quality.failures`.
    pub first_failures: Vec<Failure>,
}

/// A failing row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub key: String,
    pub value: Option<String>,
}

/// How good a table is in one dimension.
#[derive(Debug, Clone, Serialize)]
pub struct Score {
    pub table: String,
    pub dimension: String,
    /// From 0 to 1.
    pub score: f64,
    pub rules: u64,
    pub failed: u64,
}

/// A rule that was tested.
pub(super) struct Outcome<'a> {
    pub(super) on: Subject<'a>,
    pub(super) checked: Option<u64>,
    pub(super) failed: Option<u64>,
    pub(super) value: Option<f64>,
    pub(super) threshold: f64,
    pub(super) passed: bool,
    pub(super) note: Option<String>,
    /// A query of the failing rows and the columns that name them, if they are to be recorded.
    pub(super) failing: Option<(String, Vec<String>)>,
}

impl Warehouse {
    /// Tests the rules and records what was found in a new snapshot. `done` gets the number of rules tested so far.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], [`Error::Argument`] for a table without checks, [`Error::Definition`] for a check that
    /// does not fit its table: nothing is recorded then. One that can't be computed over the rows there are has failed.
    pub async fn check(&self, options: &CheckOptions, done: &(dyn Fn(u64) + Sync)) -> Result<CheckReport> {
        let session = self.session(SessionOptions::default()).await?;
        let tables = self.rules(options, &session)?;
        let accepted = accepted(&session).await?;
        let now = Utc::now().trunc_subsecs(6);
        let mut relations = Vec::with_capacity(tables.len());
        for (table, rules) in &tables {
            let relation = Relation::of(&session, table).await;
            relations.push(relation.map_err(|error| match (&error, rules.first()) {
                // A view in `checks` names a table that is not there.
                (Error::UnknownTable { .. }, Some(rule)) => fault(rule, error.to_string()),
                _ => error,
            })?);
        }
        let mut outcomes = Vec::new();
        for ((_, rules), relation) in tables.iter().zip(&relations) {
            let subject =
                |rule| Subject { warehouse: self, session: &session, relation, rule, accepted: &accepted, now };
            outcomes.extend(test_all(rules.iter().map(|rule| subject(rule)).collect()).await?);
            done(outcomes.len() as u64);
        }
        self.record(&session, outcomes, now).await
    }

    /// The rules asked for, by table.
    fn rules<'a>(&'a self, options: &CheckOptions, session: &Session) -> Result<Vec<(String, Vec<&'a Rule>)>> {
        let CheckOptions { tables: names, severity } = options;
        let mut tables: Vec<(String, Vec<&Rule>)> = Vec::new();
        for rule in self.catalog().iter().flat_map(|definition| &definition.rules) {
            match tables.iter_mut().find(|(table, _)| *table == rule.table) {
                Some((_, rules)) => rules.push(rule),
                None => tables.push((rule.table.clone(), vec![rule])),
            }
        }
        if let Some(name) = names.iter().find(|name| !tables.iter().any(|(table, _)| table == *name)) {
            return Err(self.without_checks(name, session));
        }
        tables.retain(|(table, _)| names.is_empty() || names.contains(table));
        tables.iter_mut().for_each(|(_, rules)| rules.retain(|rule| rule.severity >= *severity));
        tables.retain(|(_, rules)| !rules.is_empty());
        Ok(tables)
    }

    fn without_checks(&self, name: &str, session: &Session) -> Error {
        let argument = |valid| Error::Argument { what: "table", value: name.into(), valid };
        match self.catalog().get(name).filter(|definition| definition.kind != Kind::Staging) {
            Some(definition) if definition.schema == CHECKS => {
                let table = definition.rules.first().map_or("", |rule| rule.table.as_str());
                argument(format!("it is itself a check of {table}: name that one"))
            }
            Some(definition) => {
                argument(format!("it has no checks: add lines \"-- check: …\" to sql/{}", definition.path))
            }
            None => Error::UnknownTable { name: name.into(), nearest_names: similar(name, session.names()) },
        }
    }
}

/// The snapshot in which each table was last accepted: no check of severity error failed.
async fn accepted(session: &Session) -> Result<BTreeMap<String, u64>> {
    let query = "SELECT table_name, cast(last_value(snapshot ORDER BY checked_at) AS VARCHAR) AS snapshot
        FROM (
            SELECT table_name, checked_at, snapshot
            FROM quality.results
            GROUP BY table_name, checked_at, snapshot
            HAVING bool_and(passed OR severity <> 'error')
        ) AS c
        GROUP BY table_name";
    let rows = super::record::texts(session, query).await?;
    let of = |row: Vec<Option<String>>| {
        let mut row = row.into_iter().flatten();
        Some((row.next()?, row.next()?.parse().ok()?))
    };
    Ok(rows.into_iter().filter_map(of).collect())
}

/// Tests the rules of one table. One that can't be computed over its rows has failed; the others are tested all the same.
async fn test_all(subjects: Vec<Subject<'_>>) -> Result<Vec<Outcome<'_>>> {
    let mut tests = Vec::with_capacity(subjects.len());
    for on in &subjects {
        tests.push(computed(on.rule.check.test(on).await)?);
    }
    let mut counted = count_each(&subjects, &tests).await?.into_iter();
    let mut outcomes = Vec::with_capacity(subjects.len());
    for (on, test) in subjects.into_iter().zip(tests) {
        let outcome = match test {
            Ok(Test::Each { fails, value, note }) => counted.next().unwrap_or(Ok((0, 0))).map(|(checked, failed)| {
                let failing = format!("SELECT *, {value} AS _value FROM {} WHERE {fails}", on.rows());
                Outcome::of_rows(on, checked, failed, (failing, on.relation.key.clone()), note)
            }),
            Ok(Test::Rows { counts, failing, key }) => {
                let counts = computed(on.numbers(&counts).await)?;
                counts.map(|counts| Outcome::of_rows(on, count(&counts, 0), count(&counts, 1), (failing, key), None))
            }
            Ok(Test::Number { value, threshold, passed, note }) => {
                Ok(Outcome { on, checked: None, failed: None, value, threshold, passed, note, failing: None })
            }
            Err(problem) => Err(problem),
        };
        outcomes.push(outcome.unwrap_or_else(|problem| Outcome::of_none(on, problem)));
    }
    Ok(outcomes)
}

/// What was computed, or why the rows did not let it be.
fn computed<T>(result: Result<T>) -> Result<Result<T, String>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Error::NotComputed(problem)) => Ok(Err(problem.to_string())),
        Err(error) => Err(error),
    }
}

fn count(numbers: &[Option<f64>], at: usize) -> u64 {
    numbers.get(at).copied().flatten().unwrap_or_default() as u64
}

impl<'a> Outcome<'a> {
    fn of_rows(
        on: Subject<'a>,
        checked: u64,
        failed: u64,
        failing: (String, Vec<String>),
        note: Option<String>,
    ) -> Outcome<'a> {
        let share = if checked == 0 { (failed > 0).into() } else { failed as f64 / checked as f64 };
        let passed = share <= on.rule.at_most;
        Outcome {
            on,
            checked: Some(checked),
            failed: Some(failed),
            value: Some(share),
            threshold: on.rule.at_most,
            passed,
            note,
            failing: (!passed).then_some(failing),
        }
    }

    fn of_none(on: Subject<'a>, problem: String) -> Outcome<'a> {
        let note = Some(format!("can't be computed: {problem}"));
        let threshold = on.rule.at_most;
        Outcome { on, checked: None, failed: None, value: None, threshold, passed: false, note, failing: None }
    }
}

/// Rows looked at and rows that fail, of each test by rows, in one pass over the table; one by one where that fails.
async fn count_each(
    subjects: &[Subject<'_>],
    tests: &[Result<Test, String>],
) -> Result<Vec<Result<(u64, u64), String>>> {
    let each: Vec<(&Subject, &str)> = subjects
        .iter()
        .zip(tests)
        .filter_map(|(on, test)| match test {
            Ok(Test::Each { fails, .. }) => Some((on, fails.as_str())),
            _ => None,
        })
        .collect();
    if let Ok(counts) = counts_of(&each).await {
        return Ok(counts.into_iter().map(Ok).collect());
    }
    let mut counts = Vec::with_capacity(each.len());
    for one in &each {
        let counted = counts_of(std::slice::from_ref(one)).await.map_err(|error| mistake(one.0, error));
        counts.push(computed(counted)?.map(|counts| counts[0]));
    }
    Ok(counts)
}

/// The counts of tests of one table.
async fn counts_of(each: &[(&Subject<'_>, &str)]) -> Result<Vec<(u64, u64)>> {
    let Some((first, _)) = each.first() else { return Ok(Vec::new()) };
    let counts: Vec<String> = each
        .iter()
        .enumerate()
        .map(|(i, (on, fails))| {
            let condition = on.rule.condition.as_deref().unwrap_or("true");
            format!(
                "count(*) FILTER (WHERE {condition}) AS _c{i}, count(*) FILTER (WHERE ({condition}) AND ({fails})) AS _f{i}"
            )
        })
        .collect();
    let query = format!("SELECT {} FROM {} AS t", counts.join(", "), first.relation.sql);
    let counts = numbers(first.session, &query).await?;
    Ok((0..each.len()).map(|i| (count(&counts, 2 * i), count(&counts, 2 * i + 1))).collect())
}

/// The error that a rule is wrong; with those that there are, if it calls one that there is not.
fn mistake(on: &Subject<'_>, error: Error) -> Error {
    match unplaced(error) {
        error @ Error::UnknownFunction { .. } => on.fail(format!("{error}; {}", usages())),
        error => on.blame(error),
    }
}

fn fault(rule: &Rule, problem: String) -> Error {
    Error::Definition { path: rule.path.clone(), problem }
}
