//! Defines `lineage`: which table or view is made of which, by column where the SQL tells, from raw tables to what is
//! published.

mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::LogicalPlan;
use serde::Serialize;

use crate::Warehouse;
use crate::catalog::{Definition, Kind, PARAMS, SPINE};
use crate::describe::described_one;
use crate::error::{Error, Result};
use crate::problem::similar;
use crate::publish::{PublishOptions, is_published, published_name, visible};
use crate::session::{Session, SessionOptions};
use crate::spine;
use crate::world::DEFAULT_SCHEMA;
pub(crate) use trace::{leaf, table_name, trace};

/// What the tables and columns of a lineage are computed from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Lineage {
    /// Staging first, then views in the order in which they read each other, then what is published.
    pub derivations: Vec<Derivation>,
}

/// One way in which a table or view comes to be; a core table has one per source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Derivation {
    /// `schema.name`, or `published.name`.
    pub name: String,
    /// The file or verb that makes it.
    pub by: String,
    /// Tables and views read.
    pub reads: Vec<String>,
    /// What each column is computed from; empty where that can't be told.
    pub columns: Vec<DerivedColumn>,
    /// Why it can't be told by column.
    pub untold: Option<String>,
}

/// A column and what it is computed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DerivedColumn {
    /// Its name.
    pub name: String,
    /// `schema.name.column`; `schema.name.*` where only the number of rows counts; none for a constant.
    pub from: Vec<String>,
}

impl Warehouse {
    /// How every core table, view and published table is made, by the SQL files and the newest snapshot.
    ///
    /// # Errors
    /// [`Error::Definition`] for a view that can't be planned.
    pub async fn lineage(&self) -> Result<Lineage> {
        let session = self.planning_session().await?;
        let mut derivations = Vec::new();
        for definition in self.catalog().iter().filter(|definition| definition.kind == Kind::Staging) {
            derivations.push(staged(&session, definition).await?);
        }
        for definition in self.catalog().iter().filter(|definition| definition.kind == Kind::View) {
            derivations.push(viewed(&session, definition).await?);
        }
        for definition in self.catalog().iter().filter(|definition| is_published(definition)) {
            derivations.push(published(&session, definition).await?);
        }
        Ok(Lineage { derivations })
    }

    /// A session for plans alone: whom `spine` holds is not looked up.
    pub(crate) async fn planning_session(&self) -> Result<Session> {
        let session = self.session_over(SessionOptions::default(), BTreeMap::new()).await?;
        let schemas = [(SPINE, spine::schema()), (PARAMS, spine::params(0, None)?.schema())];
        for (name, schema) in schemas {
            session.keep(format!("{DEFAULT_SCHEMA}.{name}"), Arc::new(EmptyTable::new(schema)));
        }
        Ok(session)
    }
}

impl Lineage {
    /// What `name` (a table, view or column) is made of and what is made of it, over any number of steps. `by_column`
    /// follows columns, up to where a step can't be told by column.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], [`Error::UnknownColumn`].
    pub fn around(&self, name: &str, by_column: bool) -> Result<Lineage> {
        let (table, column) = self.place(name)?;
        let start = match (by_column, &column) {
            (true, Some(column)) => BTreeSet::from([format!("{table}.{column}")]),
            (true, None) => self.columns_of(&table).iter().map(|column| format!("{table}.{column}")).collect(),
            (false, _) => BTreeSet::from([table]),
        };
        let steps = self.steps(by_column);
        let up = reachable(&start, steps.iter().map(|(to, from)| (to.as_str(), from.as_str())));
        let down = reachable(&start, steps.iter().map(|(to, from)| (from.as_str(), to.as_str())));
        let is_near_table = |d: &Derivation| up.contains(&d.name) || d.reads.iter().any(|read| down.contains(read));
        if !by_column {
            let near = self.derivations.iter().filter(|derivation| is_near_table(derivation));
            return Ok(Lineage { derivations: near.cloned().collect() });
        }
        let touched: BTreeSet<&str> =
            up.iter().chain(&down).filter_map(|node| Some(node.rsplit_once('.')?.0)).collect();
        let near = self.derivations.iter().filter_map(|derivation| {
            let is_near = |column: &&DerivedColumn| {
                let from_here = column.from.iter().any(|from| down.contains(from));
                from_here || up.contains(&format!("{}.{}", derivation.name, column.name))
            };
            let columns: Vec<DerivedColumn> = derivation.columns.iter().filter(is_near).cloned().collect();
            let ends_here = derivation.untold.is_some()
                && derivation.reads.iter().chain([&derivation.name]).any(|name| touched.contains(name.as_str()));
            (ends_here || !columns.is_empty()).then(|| Derivation { columns, ..derivation.clone() })
        });
        Ok(Lineage { derivations: near.collect() })
    }

    /// Table and column of a name.
    fn place(&self, name: &str) -> Result<(String, Option<String>)> {
        let tables: BTreeSet<&String> = self.derivations.iter().flat_map(|d| d.reads.iter().chain([&d.name])).collect();
        if tables.contains(&name.to_string()) {
            return Ok((name.to_string(), None));
        }
        let split = name.rsplit_once('.').filter(|(table, _)| tables.contains(&table.to_string()));
        let Some((table, column)) = split else {
            let nearest_names = similar(name, tables.into_iter().cloned().collect());
            return Err(Error::UnknownTable { name: name.into(), nearest_names });
        };
        let known_names = self.columns_of(table);
        match known_names.contains(&column.to_string()) {
            true => Ok((table.to_string(), Some(column.to_string()))),
            false => {
                let nearest_names = similar(column, known_names.clone());
                Err(Error::UnknownColumn { name: name.into(), nearest_names, known_names })
            }
        }
    }

    /// The columns that derivations make or read of a table.
    fn columns_of(&self, table: &str) -> Vec<String> {
        let made = self.derivations.iter().filter(|d| d.name == table).flat_map(|d| &d.columns);
        let read = self.derivations.iter().flat_map(|d| &d.columns).flat_map(|column| &column.from);
        let read = read.filter_map(|from| from.strip_prefix(table)?.strip_prefix('.'));
        let all: BTreeSet<&str> = made.map(|column| column.name.as_str()).chain(read).collect();
        all.into_iter().map(String::from).collect()
    }

    /// What is made, and of what: tables or columns.
    fn steps(&self, by_column: bool) -> Vec<(String, String)> {
        let of = |derivation: &Derivation| -> Vec<(String, String)> {
            match by_column {
                false => derivation.reads.iter().map(|read| (derivation.name.clone(), read.clone())).collect(),
                true => {
                    let to = |column: &DerivedColumn| format!("{}.{}", derivation.name, column.name);
                    let from = |column: &DerivedColumn| column.from.clone();
                    let columns = derivation.columns.iter();
                    columns.flat_map(|column| from(column).into_iter().map(move |from| (to(column), from))).collect()
                }
            }
        };
        self.derivations.iter().flat_map(of).collect()
    }
}

/// What the steps lead to from `start`, itself included.
fn reachable<'a>(start: &BTreeSet<String>, steps: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeSet<String> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in steps {
        next.entry(from).or_default().push(to);
    }
    let mut found = start.clone();
    let mut waiting: Vec<String> = start.iter().cloned().collect();
    while let Some(node) = waiting.pop() {
        for to in next.get(node.as_str()).into_iter().flatten() {
            if found.insert(to.to_string()) {
                waiting.push(to.to_string());
            }
        }
    }
    found
}

/// What a staging file adds to its table.
async fn staged(session: &Session, definition: &Definition) -> Result<Derivation> {
    let name = definition.target().unwrap_or_default();
    let missing = definition.reads.iter().find(|read| !session.snapshot().tables.contains_key(*read));
    if let Some(missing) = missing {
        return Ok(derivation(name, definition, Err(format!("{missing} is not loaded"))));
    }
    let columns = session.logical_plan(&definition.sql).await.map(|plan| columns(&plan));
    Ok(derivation(name, definition, columns.unwrap_or_else(|error| Err(error.to_string()))))
}

async fn viewed(session: &Session, definition: &Definition) -> Result<Derivation> {
    let plan = session.logical_plan(&definition.sql).await;
    let plan = plan.map_err(|e| Error::Definition { path: definition.path.clone(), problem: e.to_string() })?;
    Ok(derivation(definition.full_name(), definition, columns(&plan)))
}

/// What is published of a table, without the columns that hold personal data.
async fn published(session: &Session, definition: &Definition) -> Result<Derivation> {
    let described = described_one(session, definition).await?;
    let from = |column: &String| vec![format!("{}.{column}", definition.full_name())];
    let columns = visible(&described, PublishOptions::default()).into_iter();
    Ok(Derivation {
        name: format!("published.{}", published_name(definition)),
        by: "publish".into(),
        reads: vec![definition.full_name()],
        columns: columns.map(|name| DerivedColumn { from: from(&name), name }).collect(),
        untold: None,
    })
}

fn derivation(name: String, definition: &Definition, columns: Result<Vec<DerivedColumn>, String>) -> Derivation {
    let (columns, untold) = match columns {
        Ok(columns) => (columns, None),
        Err(untold) => (Vec::new(), Some(untold)),
    };
    Derivation { name, by: format!("sql/{}", definition.path), reads: definition.reads.clone(), columns, untold }
}

fn columns(plan: &LogicalPlan) -> Result<Vec<DerivedColumn>, String> {
    let sources = trace(plan).ok_or("its SQL mixes columns in a way that is told by table only")?;
    let column = |(field, sources): (&FieldRef, trace::Sources)| DerivedColumn {
        name: field.name().clone(),
        from: sources.into_iter().map(|(table, column)| format!("{table}.{column}")).collect(),
    };
    Ok(plan.schema().fields().iter().zip(sources).map(column).collect())
}
