//! Defines [`Staged`]: what the staging files tell about raw tables, read off their plans.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::logical_expr::{Expr, LogicalPlan};
use store::{AllFiles, CUSTOMER_ID};

use super::keys::keyed;
use super::origin::{Origin, Origins};
use crate::Warehouse;
use crate::catalog::{Catalog, Definition};
use crate::error::Result;
use crate::lineage::trace;
use crate::session::Session;

/// What staging tells about raw tables.
#[derive(Default)]
pub(super) struct Staged {
    /// Values that are a customer's id, by raw table.
    pub(super) ids: BTreeMap<String, Vec<Expr>>,
    /// Raw tables that give both customer and key of a core table.
    pub(super) keyed: Vec<Keyed>,
    /// Joins that lead to raw tables which give key or personal data.
    pub(super) joins: Vec<Join>,
    /// Raw columns that personal data come from.
    pub(super) personal: BTreeMap<String, BTreeSet<String>>,
    /// Why it can't be told whose the rows of a raw table are.
    pub(super) untold: BTreeMap<String, String>,
}

/// A raw table whose rows become rows of a core table with a key.
pub(super) struct Keyed {
    pub(super) raw: String,
    /// Name of the core table.
    pub(super) core: String,
    pub(super) customer: Expr,
    pub(super) key: Vec<Expr>,
}

/// Rows of two raw tables that belong together: those with the same values.
pub(super) struct Join {
    pub(super) from: (String, Vec<Expr>),
    pub(super) to: (String, Vec<Expr>),
}

impl Warehouse {
    /// What the staging files tell about raw tables that there are.
    pub(super) async fn staged(&self, session: &Session, tables: &BTreeMap<String, AllFiles>) -> Result<Staged> {
        let mut staged = Staged::default();
        for staging in self.catalog().staging() {
            let target = staging.target().and_then(|target| self.catalog().get(&target));
            let Some(target) = target.filter(|target| has_customer(target)) else { continue };
            match session.logical_plan(&staging.sql).await {
                Ok(plan) => staged.add(self.catalog(), staging, target, &plan),
                Err(error) => staged.cannot_tell(staging, &error.to_string()),
            }
        }
        staged.untold.retain(|table, _| tables.contains_key(table));
        Ok(staged)
    }
}

impl Staged {
    fn add(&mut self, catalog: &Catalog, staging: &Definition, target: &Definition, plan: &LogicalPlan) {
        let mut origins = Origins::default();
        let names: Vec<&String> = plan.schema().fields().iter().map(|field| field.name()).collect();
        let columns = names.iter().map(|name| name.as_str()).zip(origins.columns(plan));
        let columns: BTreeMap<&str, Vec<Origin>> = columns.collect();
        for (name, origins) in columns.iter().filter(|(name, _)| name.ends_with(CUSTOMER_ID)) {
            if origins.is_empty() {
                self.cannot_tell(staging, &format!("its {name} is not computed from the columns of one raw table"));
            }
            for Origin { table, value, .. } in origins {
                let known = self.ids.entry(table.clone()).or_default();
                if !known.contains(value) {
                    known.push(value.clone());
                }
            }
        }
        if keyed(catalog).any(|definition| definition.name == target.name) {
            self.keyed.extend(both(target, &columns));
        }
        let Some(sources) = trace(plan) else { return };
        let mut giving = BTreeSet::new();
        for (name, sources) in names.into_iter().zip(sources) {
            let is_personal = target.header.pii.contains(name);
            for (table, column) in sources.into_iter().filter(|_| is_personal || target.header.key.contains(name)) {
                if is_personal {
                    self.personal.entry(table.clone()).or_default().insert(column);
                }
                giving.insert(table);
            }
        }
        self.joins.extend(joins(origins.pairs).filter(|join| giving.contains(&join.to.0)));
    }

    fn cannot_tell(&mut self, staging: &Definition, why: &str) {
        for read in &staging.reads {
            self.untold.entry(read.clone()).or_insert_with(|| format!("sql/{}: {why}", staging.path));
        }
    }
}

pub(super) fn has_customer(definition: &Definition) -> bool {
    let columns = definition.columns.iter().flat_map(|columns| columns.fields());
    columns.into_iter().any(|field| field.name().ends_with(CUSTOMER_ID))
}

/// The raw tables one reading of which gives both customer and key.
fn both(target: &Definition, columns: &BTreeMap<&str, Vec<Origin>>) -> Vec<Keyed> {
    let of = |name: &str| columns.get(name).into_iter().flatten();
    let keyed = |customer: &Origin| {
        let of_row = |column: &String| Some(of(column).find(|origin| origin.scan == customer.scan)?.value.clone());
        Some(Keyed {
            raw: customer.table.clone(),
            core: target.name.clone(),
            customer: customer.value.clone(),
            key: target.header.key.iter().map(of_row).collect::<Option<_>>()?,
        })
    };
    of(CUSTOMER_ID).filter_map(keyed).collect()
}

/// Pairs of values as joins: those between the same two readings of tables belong to one.
fn joins(pairs: Vec<(Origin, Origin)>) -> impl Iterator<Item = Join> {
    let mut joins: BTreeMap<(usize, usize), Join> = BTreeMap::new();
    for (from, to) in pairs {
        let new = || Join { from: (from.table.clone(), Vec::new()), to: (to.table.clone(), Vec::new()) };
        let join = joins.entry((from.scan, to.scan)).or_insert_with(new);
        join.from.1.push(from.value);
        join.to.1.push(to.value);
    }
    joins.into_values()
}
