//! Defines which rows of which tables are a customer's: [`Search`].
//!
//! - Tables with a `customer_id`, or another column that ends so: rows where it is the customer's, and rows of nobody under
//!   a key that only the customer has ([`Keys`]).
//! - Raw tables that a staging file computes a customer id from: rows for which that very expression gives the customer's
//!   id, whether or not the staging file keeps them, and rows of nobody under such a key.
//! - Raw tables without an id of their own that give a customer's core rows their key or personal data, through a join (an
//!   order's lines): rows whose join key belongs to erased rows only.
//! - Tables of `quality`: also rows that quote such rows ([`super::quoted`]).
//!
//! Rows of a product, campaign or sum of many customers are nobody's and stay.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::or;
use arrow::datatypes::DataType;
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::Expr;
use datafusion::prelude::ident;
use store::{AllFiles, BoxError, CUSTOMER_ID, Eraser, NO_CUSTOMER_BUCKET, PastFile, Rule, Store, bucket_of};

use super::keys::{self, Keys, keyed};
use super::mention::Mentions;
use super::quoted::is_quoting;
use super::rules::{Values, by_id, either, one_of};
use super::staged::{Join, Keyed, Staged, has_customer};
use crate::Warehouse;
use crate::catalog::Kind;
use crate::conform::canonical_ids;
use crate::error::Result;
use crate::moves::MOVES;
use crate::session::Session;

/// A table with all its files, and which of its rows go.
pub(super) struct Found {
    pub(super) all: AllFiles,
    rule: Rule,
    /// Only files of these buckets can have such rows.
    buckets: Option<BTreeSet<i32>>,
}

/// All rows of some customers.
pub(super) struct Search {
    pub(super) tables: Vec<Found>,
    /// Raw tables that could not be searched, and why.
    pub(super) unsearched: BTreeMap<String, String>,
}

/// A search under way.
pub(super) struct Searching<'a> {
    pub(super) warehouse: &'a Warehouse,
    store: &'a Store,
    session: Arc<Session>,
    pub(super) ids: &'a BTreeSet<String>,
    pub(super) tables: BTreeMap<String, AllFiles>,
}

impl Found {
    /// Files that may have such rows.
    pub(super) fn files(&self) -> impl Iterator<Item = &PastFile> {
        self.all.files.iter().filter(|file| may_be_in(&self.buckets, file))
    }

    /// Takes the rows out of one file, or only counts them.
    pub(super) async fn erase(&self, store: &Store, eraser: Option<&mut Eraser>, file: &PastFile) -> Result<u64> {
        Ok(match eraser {
            Some(eraser) => eraser.copy_without(&self.all, file, &self.rule).await?,
            None => store.count_rows(&self.all, file, &self.rule).await?,
        })
    }
}

impl Warehouse {
    /// Looks for the customers in every table of `store`, the warehouse as the erasure may read it.
    pub(super) async fn search(&self, store: &Store, ids: &BTreeSet<String>) -> Result<Search> {
        let session = self.planning_session().await?;
        let mut tables = BTreeMap::new();
        for name in store.table_names().await? {
            if let Some(all) = store.all_files(&name).await? {
                // Also what a restore undid has its columns.
                session.keep(name.clone(), Arc::new(EmptyTable::new(Arc::clone(&all.schema))));
                tables.insert(name, all);
            }
        }
        let staged = self.staged(&session, &tables).await?;
        let searching = Searching { warehouse: self, store, session: Arc::new(session), ids, tables };
        let keys = Arc::new(searching.keys().await?);
        let mut rules = searching.raw_rules(&staged, &keys)?;
        searching.follow(&staged.joins, &mut rules).await?;
        let mentions = Arc::new(searching.mentions(&staged, &rules, Arc::clone(&keys)).await?);
        let mut found = Vec::new();
        for (name, all) in &searching.tables {
            let columns = all.schema.fields().iter().map(|field| field.name().as_str());
            let ids_in: Vec<&str> = columns.filter(|name| name.ends_with(CUSTOMER_ID)).collect();
            let rule = match rules.remove(name) {
                Some(rule) => rule,
                None if is_quoting(name) => searching.by_quote(name, &staged, &mentions),
                None if name.starts_with("raw.") || ids_in.is_empty() => continue,
                None if name.starts_with("core.") => either(by_id(ids), keys::by_key(&keys)),
                None => by_id(ids),
            };
            let buckets = (ids_in == [CUSTOMER_ID]).then(|| {
                ids.iter().map(|id| bucket_of(Some(id), store.buckets())).chain([NO_CUSTOMER_BUCKET]).collect()
            });
            found.push(Found { all: all.clone(), rule, buckets });
        }
        let read: BTreeSet<&String> = self.catalog().staging().flat_map(|staging| &staging.reads).collect();
        let mut unsearched = staged.untold;
        for name in searching.tables.keys().filter(|name| name.starts_with("raw.") && !read.contains(name)) {
            unsearched
                .insert(name.clone(), "no staging file reads it, so nothing tells which column is the customer".into());
        }
        unsearched.retain(|name, _| !found.iter().any(|found| found.all.table == *name));
        Ok(Search { tables: found, unsearched })
    }
}

impl Searching<'_> {
    /// Values over the columns of a table.
    pub(super) fn values(&self, table: &str, values: &[Expr]) -> Values {
        let columns = Arc::clone(&self.tables[table].schema);
        Values { session: Arc::clone(&self.session), columns, values: values.to_vec() }
    }

    /// Looks at the rows of a table's files, those of some buckets where a file has one.
    async fn look<T: Default + Send + 'static>(
        &self,
        table: &str,
        buckets: Option<BTreeSet<i32>>,
        found: T,
        look: impl Fn(&RecordBatch, &mut T) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Result<T> {
        let found = Arc::new(Mutex::new(found));
        let seen = Arc::clone(&found);
        let rule: Rule = Arc::new(move |batch: &RecordBatch| {
            look(batch, &mut seen.lock().unwrap_or_else(PoisonError::into_inner))?;
            Ok(BooleanArray::from(vec![false; batch.num_rows()]))
        });
        let all = &self.tables[table];
        for file in all.files.iter().filter(|file| may_be_in(&buckets, file)) {
            self.store.count_rows(all, file, &rule).await?;
        }
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut found))
    }

    /// The keys of core tables that only the customers have.
    async fn keys(&self) -> Result<Vec<Keys>> {
        let mut moved = BTreeMap::new();
        if self.tables.contains_key(MOVES) {
            moved = self.look(MOVES, None, moved, keys::moved).await?;
        }
        let mut all = Vec::new();
        for definition in keyed(self.warehouse.catalog()) {
            let (table, columns) = (definition.full_name(), definition.header.key.clone());
            if !self.tables.contains_key(&table) {
                continue;
            }
            let key: Vec<Expr> = columns.iter().map(ident).collect();
            let (rule, values) = (by_id(self.ids), self.values(&table, &key));
            let see = move |batch: &RecordBatch, keys: &mut HashSet<String>| {
                let goes = rule(batch)?;
                let theirs = values.keys(batch)?;
                let theirs = theirs.iter().zip(&goes).filter(|(_, goes)| *goes == Some(true));
                keys.extend(theirs.filter_map(|(key, _)| key.map(String::from)));
                Ok(())
            };
            let buckets = self.ids.iter().map(|id| bucket_of(Some(id), self.store.buckets())).collect();
            let mut keys = self.look(&table, Some(buckets), HashSet::new(), see).await?;
            let moved = moved.remove(&definition.name).unwrap_or_default();
            let mut shared: HashSet<String> = moved.into_iter().filter_map(|key| keys.take(&key)).collect();
            if !shared.is_empty() {
                let (ids, values) = (self.ids.clone(), self.values(&table, &[key, vec![ident(CUSTOMER_ID)]].concat()));
                let see = move |batch: &RecordBatch, keys: &mut HashSet<String>| {
                    keys::keep_theirs(&values.texts(batch)?, &ids, keys);
                    Ok(())
                };
                shared = self.look(&table, None, shared, see).await?;
            }
            keys.extend(shared);
            all.push(Keys { table: definition.name.clone(), columns, keys });
        }
        Ok(all)
    }

    /// Which rows of raw tables are the customers' by what staging makes of them.
    fn raw_rules(&self, staged: &Staged, keys: &Arc<Vec<Keys>>) -> Result<BTreeMap<String, Rule>> {
        let mut rules: BTreeMap<String, Rule> = BTreeMap::new();
        for (table, values) in staged.ids.iter().filter(|(table, _)| self.tables.contains_key(*table)) {
            let (values, ids) = (self.values(table, values), self.ids.clone());
            let by_expressions: Rule = Arc::new(move |batch: &RecordBatch| {
                let mut goes = BooleanArray::from(vec![false; batch.num_rows()]);
                for texts in values.texts(batch)? {
                    goes = or(&goes, &one_of(&canonical_ids(&texts), |id| ids.contains(id)))?;
                }
                Ok(goes)
            });
            rules.insert(table.clone(), by_expressions);
        }
        for Keyed { raw, core, customer, key } in &staged.keyed {
            let of_core = keys.iter().find(|keys| keys.table == *core && !keys.keys.is_empty());
            let Some(theirs) = of_core.map(|of_core| of_core.keys.clone()) else { continue };
            let Some(rule) = rules.remove(raw) else { continue };
            let (customer, key) = (self.values(raw, std::slice::from_ref(customer)), self.values(raw, key));
            let by_key: Rule = Arc::new(move |batch: &RecordBatch| {
                let customers = canonical_ids(&customer.texts(batch)?[0]);
                let keys = key.keys(batch)?;
                let is_theirs =
                    |row: usize| customers.is_null(row) && keys.is_valid(row) && theirs.contains(keys.value(row));
                Ok((0..batch.num_rows()).map(|row| Some(is_theirs(row))).collect())
            });
            rules.insert(raw.clone(), either(rule, by_key));
        }
        Ok(rules)
    }

    /// Adds the rules of tables that are joined to those that have one, and on from there.
    async fn follow(&self, joins: &[Join], rules: &mut BTreeMap<String, Rule>) -> Result<()> {
        loop {
            let known = rules.clone();
            for Join { from, to } in joins {
                let Some(rule) =
                    known.get(&from.0).filter(|_| !known.contains_key(&to.0) && self.tables.contains_key(&to.0))
                else {
                    continue;
                };
                let keys = self.only_of_erased(&from.0, &from.1, rule).await?;
                let values = self.values(&to.0, &to.1);
                let rule: Rule =
                    Arc::new(move |batch: &RecordBatch| Ok(one_of(&values.keys(batch)?, |key| keys.contains(key))));
                let rule = match rules.remove(&to.0) {
                    Some(other) => either(other, rule),
                    None => rule,
                };
                rules.insert(to.0.clone(), rule);
            }
            if rules.len() == known.len() {
                return Ok(());
            }
        }
    }

    /// The values that only rows have which go.
    async fn only_of_erased(&self, table: &str, values: &[Expr], rule: &Rule) -> Result<HashSet<String>> {
        let mut found = HashSet::new();
        for is_second in [false, true] {
            let (rule, values) = (Arc::clone(rule), self.values(table, values));
            let see = move |batch: &RecordBatch, found: &mut HashSet<String>| {
                let goes = rule(batch)?;
                for (key, goes) in values.keys(batch)?.iter().zip(&goes) {
                    match key {
                        Some(key) if goes == Some(true) && !is_second => _ = found.insert(key.to_string()),
                        Some(key) if goes != Some(true) && is_second => _ = found.remove(key),
                        _ => {}
                    }
                }
                Ok(())
            };
            found = self.look(table, None, found, see).await?;
        }
        Ok(found)
    }

    /// The ids, the keys, and the texts of the customers' personal columns that nobody else has.
    async fn mentions(
        &self,
        staged: &Staged,
        rules: &BTreeMap<String, Rule>,
        keys: Arc<Vec<Keys>>,
    ) -> Result<Mentions> {
        let mut mentions = Mentions { ids: self.ids.clone(), values: BTreeSet::new(), keys };
        if !self.tables.keys().any(|name| is_quoting(name)) {
            return Ok(mentions);
        }
        let mut personal: Vec<(String, String, Rule)> = Vec::new();
        for definition in self
            .warehouse
            .catalog()
            .iter()
            .filter(|d| d.kind == Kind::Table && has_customer(d) && !is_quoting(&d.full_name()))
        {
            personal.extend(definition.header.pii.iter().map(|c| (definition.full_name(), c.clone(), by_id(self.ids))));
        }
        for (table, columns) in &staged.personal {
            if let Some(rule) = rules.get(table) {
                personal.extend(columns.iter().map(|column| (table.clone(), column.clone(), Arc::clone(rule))));
            }
        }
        for (table, column, rule) in personal {
            let Some(all) = self.tables.get(&table) else { continue };
            if all.schema.field_with_name(&column).is_ok_and(|field| field.data_type() == &DataType::Utf8) {
                for text in self.only_of_erased(&table, &[ident(&column)], &rule).await? {
                    mentions.add_value(&text);
                }
            }
        }
        Ok(mentions)
    }
}

fn may_be_in(buckets: &Option<BTreeSet<i32>>, file: &PastFile) -> bool {
    match (buckets, file.bucket) {
        (Some(buckets), Some(bucket)) => buckets.contains(&bucket),
        _ => true,
    }
}
