//! Defines [`Subject`], what a check looks at: the rows of its table in one snapshot, and those of the snapshot in which
//! the table was last accepted.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef};
use chrono::{DateTime, Utc};
use store::KNOWN_TIME;

use super::rule::Rule;
use crate::Warehouse;
use crate::catalog::Kind;
use crate::conform::conform_computed;
use crate::ddl::quoted;
use crate::error::{Error, Result};
use crate::session::{Session, SessionOptions};

/// A table or view as checks see it.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// To stand behind FROM.
    pub(super) sql: String,
    /// What names a row.
    pub(super) key: Vec<String>,
    pub(super) schema: SchemaRef,
}

/// A rule and the rows that it is about.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(super) warehouse: &'a Warehouse,
    pub(super) session: &'a Session,
    pub(super) relation: &'a Relation,
    pub(super) rule: &'a Rule,
    /// The snapshot in which each table was last accepted.
    pub(super) accepted: &'a BTreeMap<String, u64>,
    /// When the check is made.
    pub(super) now: DateTime<Utc>,
}

impl Relation {
    /// Of a table with a key and versions the rows in force, each once.
    pub(super) async fn of(session: &Session, name: &str) -> Result<Relation> {
        let schema = session.sql(&format!("SELECT * FROM {name}")).await?.schema();
        let definition = session.world.catalog.get(name);
        let header = definition.map(|definition| &definition.header);
        let is_table = definition.is_some_and(|definition| definition.kind == Kind::Table);
        match header.filter(|header| is_table && !header.key.is_empty() && schema.index_of(KNOWN_TIME).is_ok()) {
            Some(header) => Ok(Relation { sql: in_force(name, &header.key), key: header.key.clone(), schema }),
            None => {
                let key = header.map(|header| header.grain.clone()).unwrap_or_default();
                Ok(Relation { sql: name.into(), key, schema })
            }
        }
    }

    /// The type of a column; the error lists those that there are.
    pub(super) fn data_type(&self, column: &str) -> Result<&DataType, String> {
        match self.schema.field_with_name(column) {
            Ok(field) => Ok(field.data_type()),
            Err(_) => {
                let known: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
                Err(format!("there is no column {column}; there are {}", known.join(", ")))
            }
        }
    }
}

/// The newest version of each key. Only keys with several versions are joined; what was sent twice unchanged counts once.
fn in_force(table: &str, key: &[String]) -> String {
    let columns: Vec<String> = key.iter().map(|column| quoted(column)).collect();
    let columns = columns.join(", ");
    let same: Vec<String> = key.iter().map(|column| format!("u.{0} = c.{0}", quoted(column))).collect();
    let same = same.join(" AND ");
    let corrected = format!(
        "(SELECT {columns}, max({KNOWN_TIME}) AS _newest FROM {table} GROUP BY {columns} HAVING count(*) > 1) AS c"
    );
    format!(
        "(SELECT u.* FROM {table} AS u LEFT ANTI JOIN {corrected} ON {same} UNION ALL SELECT DISTINCT u.* FROM {table} AS u \
         INNER JOIN {corrected} ON {same} AND u.{KNOWN_TIME} = c._newest)"
    )
}

impl<'a> Subject<'a> {
    /// The rows that the rule is about, to stand behind FROM, as `t`.
    pub(super) fn rows(&self) -> String {
        match &self.rule.condition {
            None => format!("{} AS t", self.relation.sql),
            Some(condition) => format!("(SELECT * FROM {} AS t WHERE {condition}) AS t", self.relation.sql),
        }
    }

    /// A query of their number.
    pub(super) fn count(&self) -> String {
        format!("SELECT count(*) FROM {}", self.rows())
    }

    /// A column of `t` that there is.
    pub(super) fn column(&self, name: &str) -> Result<String> {
        self.data_type(name)?;
        Ok(format!("t.{}", quoted(name)))
    }

    pub(super) fn data_type(&self, column: &str) -> Result<&'a DataType> {
        self.relation.data_type(column).map_err(|problem| self.fail(problem))
    }

    /// SQL that shows these columns: the value of one, else each with its name.
    pub(super) fn values(&self, columns: &[&str]) -> String {
        match columns {
            [] => "cast(NULL AS VARCHAR)".into(),
            [column] => format!("t.{}", quoted(column)),
            _ => {
                let named = |column: &&str| {
                    format!(
                        "'{} = ', coalesce(cast(t.{} AS VARCHAR), 'NULL')",
                        column.replace('\'', "''"),
                        quoted(column)
                    )
                };
                let named: Vec<String> = columns.iter().map(named).collect();
                format!("concat({})", named.join(", ', ', "))
            }
        }
    }

    /// The error that this check is wrong.
    pub(super) fn fail(&self, problem: impl Into<String>) -> Error {
        let problem = format!("check \"{}\": {}", self.rule.text, problem.into());
        Error::Definition { path: self.rule.path.clone(), problem }
    }

    /// The same of what the engine says, unless the rows are at fault.
    pub(super) fn blame(&self, error: Error) -> Error {
        match unplaced(error) {
            error @ Error::NotComputed(_) => error,
            error => self.fail(error.to_string()),
        }
    }

    /// Another table or view.
    pub(super) async fn other(&self, name: &str) -> Result<Relation> {
        Relation::of(self.session, name).await.map_err(|error| self.blame(error))
    }

    /// The first row of a query, as numbers.
    pub(super) async fn numbers(&self, query: &str) -> Result<Vec<Option<f64>>> {
        numbers(self.session, query).await.map_err(|error| self.blame(error))
    }

    /// The same rows in the snapshot in which the table was last accepted, and its number; a note where there is none.
    pub(super) async fn reference(&self) -> Result<Result<(Session, u64), String>> {
        let Some(&snapshot) = self.accepted.get(&self.rule.table) else {
            return Ok(Err("no snapshot was accepted yet".into()));
        };
        let options = SessionOptions { snapshot: Some(snapshot), ..SessionOptions::default() };
        match self.warehouse.session(options).await {
            Ok(session) => Ok(Ok((session, snapshot))),
            Err(Error::Store(error)) if matches!(*error, store::Error::NoSnapshot { .. }) => {
                Ok(Err(format!("the last accepted snapshot, {snapshot}, is gone")))
            }
            Err(error) => Err(error),
        }
    }

    /// This rule over another snapshot.
    pub(super) fn over(self, session: &'a Session) -> Subject<'a> {
        Subject { session, ..self }
    }
}

/// The first row of a query, as numbers.
pub(super) async fn numbers(session: &Session, query: &str) -> Result<Vec<Option<f64>>> {
    let batches = session.sql(query).await?.collect().await.map_err(not_computed)?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(Vec::new()) };
    (0..batch.num_columns()).map(|column| number(batch, column)).collect()
}

fn number(batch: &RecordBatch, column: usize) -> Result<Option<f64>> {
    let array = batch.column(column);
    let number = match array.data_type() {
        DataType::Int64 => {
            array.as_primitive::<Int64Type>().is_valid(0).then(|| array.as_primitive::<Int64Type>().value(0) as f64)
        }
        _ => {
            let array = conform_computed(array, &DataType::Float64).map_err(|misfit| Error::WrongValue {
                place: "a check".into(),
                column: batch.schema().field(column).name().clone(),
                value: misfit.value,
                problem: misfit.problem,
            })?;
            let array = array.as_primitive::<Float64Type>();
            array.is_valid(0).then(|| array.value(0))
        }
    };
    Ok(number)
}

/// That the rows which a planned query reads are at fault, unless they could not be read at all.
pub(super) fn not_computed(error: Error) -> Error {
    match error {
        error @ (Error::Store(_) | Error::Gone { .. }) => error,
        error => Error::NotComputed(Box::new(error)),
    }
}

/// `error` without the place in a SQL text that nobody wrote.
pub(super) fn unplaced(error: Error) -> Error {
    match error {
        Error::At { problem, .. } => unplaced(*problem),
        error => error,
    }
}
