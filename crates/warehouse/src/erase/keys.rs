//! Defines [`Keys`]: the keys of a core table by which rows are a customer's that do not name them.
//!
//! An order may have been a guest's before it became the customer's, its lines may name no customer, and a failing row may
//! be told by its key alone. Keys that another customer has as well are not only the customer's: what they name stays.
//! `core.moves` tells which ones may be.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use store::{BoxError, CUSTOMER_ID, Rule};

use super::rules::{key_of, one_of};
use crate::catalog::{Catalog, Definition, Kind};
use crate::moves::MOVES;

/// Columns of `core.moves` that name a table and a row of it.
const MOVED: [&str; 3] = ["of_table", "id", "sub_id"];

/// Keys of one core table that only the customers have.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Name of the table, as `core.moves` has it.
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    pub(super) keys: HashSet<String>,
}

/// The core tables of customers whose key is another than the customer.
pub(super) fn keyed(catalog: &Catalog) -> impl Iterator<Item = &Definition> {
    let is_keyed = |definition: &&Definition| {
        let has_customer = definition.columns.as_ref().is_some_and(|c| c.index_of(CUSTOMER_ID).is_ok());
        let key = &definition.header.key;
        let is_other = !key.is_empty() && !key.iter().any(|column| column == CUSTOMER_ID);
        definition.schema == "core" && definition.kind == Kind::Table && has_customer && is_other
    };
    catalog.iter().filter(is_keyed).filter(|definition| definition.full_name() != MOVES)
}

/// The keys that passed from one customer to another, by table, as these rows of `core.moves` note them.
pub(super) fn moved(batch: &RecordBatch, found: &mut BTreeMap<String, HashSet<String>>) -> Result<(), BoxError> {
    let columns = texts(batch, &MOVED).ok_or("it has other columns")?;
    for row in 0..batch.num_rows() {
        let mut values = columns.iter().filter(|column| column.is_valid(row)).map(|column| column.value(row));
        if let Some(table) = values.next() {
            found.entry(table.to_string()).or_default().insert(key_of(values));
        }
    }
    Ok(())
}

/// Takes away the keys that another customer has. `columns` are those of the key, and the customer.
pub(super) fn keep_theirs(columns: &[StringArray], ids: &BTreeSet<String>, keys: &mut HashSet<String>) {
    let Some((customers, key)) = columns.split_last() else { return };
    for row in (0..customers.len()).filter(|row| customers.is_valid(*row) && !ids.contains(customers.value(*row))) {
        keys.remove(&key_of(key.iter().filter(|column| column.is_valid(row)).map(|column| column.value(row))));
    }
}

/// Rows of no customer under such a key: of the keyed table, of one that refers to it, or of `core.moves`.
pub(super) fn by_key(all: &Arc<Vec<Keys>>) -> Rule {
    let all = Arc::clone(all);
    Arc::new(move |batch: &RecordBatch| {
        let mut goes = vec![false; batch.num_rows()];
        let customers = texts(batch, &[CUSTOMER_ID]).map(|mut columns| columns.remove(0));
        let is_nobodys = |row: usize| customers.as_ref().is_some_and(|customers| customers.is_null(row));
        for keys in all.iter().filter(|keys| !keys.keys.is_empty()) {
            let Some((columns, is_of_table)) = key_columns(batch, keys) else { continue };
            for (row, goes) in goes.iter_mut().enumerate().filter(|(row, _)| is_of_table[*row] && is_nobodys(*row)) {
                let values = columns.iter().filter(|column| column.is_valid(row)).map(|column| column.value(row));
                *goes |= keys.keys.contains(&key_of(values));
            }
        }
        Ok(goes.into_iter().map(Some).collect())
    })
}

/// The columns that hold a table's key, and which rows are about it.
fn key_columns(batch: &RecordBatch, keys: &Keys) -> Option<(Vec<StringArray>, Vec<bool>)> {
    match texts(batch, &MOVED) {
        Some(mut moved) => {
            let is_of_table = one_of(&moved.remove(0), |table| table == keys.table);
            moved.truncate(keys.columns.len());
            Some((moved, is_of_table.values().iter().collect()))
        }
        None => {
            let names: Vec<&str> = keys.columns.iter().map(String::as_str).collect();
            Some((texts(batch, &names)?, vec![true; batch.num_rows()]))
        }
    }
}

/// These columns, where a batch has them all as text.
fn texts(batch: &RecordBatch, names: &[&str]) -> Option<Vec<StringArray>> {
    let text = |column: &ArrayRef| column.as_string_opt::<i32>().cloned();
    names.iter().map(|name| text(batch.column_by_name(name)?)).collect()
}
