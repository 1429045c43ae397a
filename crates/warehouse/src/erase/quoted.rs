//! Defines which rows of `quality` quote a customer's row of another table.
//!
//! - A failing row by its customer, by a `…customer_id` in its key or value, and of nobody by a key that only the customer has;
//!   also by a text from a `-- pii` column of the customer's rows that no other customer has.
//! - A rejected line by the field of its customer column, and by any field if it cannot be split; also by such a text.
//! - Any other row by such a text, or the id, in a column that its table's header calls personal data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::or;
use store::{CUSTOMER_ID, Rule};

use super::mention::{CustomerColumn, Mentions};
use super::rows::Searching;
use super::rules::{Values, by_id, either, one_of};
use super::staged::Staged;
use crate::conform::{canonical_ids, conform};
use crate::load::{REJECTS_TABLE, SYSTEM_COLUMNS};
use crate::quality::FAILURES;

const QUALITY: &str = "quality.";

pub(super) fn is_quoting(table: &str) -> bool {
    table.starts_with(QUALITY)
}

impl Searching<'_> {
    /// Rows of a table of `quality` that are the customers' or quote theirs.
    pub(super) fn by_quote(&self, table: &str, staged: &Staged, mentions: &Arc<Mentions>) -> Rule {
        let quotes = match table {
            REJECTS_TABLE => self.by_reject(staged, Arc::clone(mentions)),
            FAILURES => by_failure(Arc::clone(mentions)),
            _ => by_mention(self.personal_columns(table), Arc::clone(mentions)),
        };
        either(by_id(self.ids), quotes)
    }

    /// What a table's header calls personal data; all columns of a table that no file describes.
    fn personal_columns(&self, table: &str) -> Vec<String> {
        match self.warehouse.catalog().get(table) {
            Some(definition) => definition.header.pii.clone(),
            None => self.tables[table].schema.fields().iter().map(|field| field.name().clone()).collect(),
        }
    }

    fn by_reject(&self, staged: &Staged, mentions: Arc<Mentions>) -> Rule {
        let mut tables: BTreeMap<String, RawIds> = BTreeMap::new();
        for (raw, values) in staged.ids.iter().filter(|(raw, _)| self.tables.contains_key(*raw)) {
            let columns = values.iter().flat_map(|value| value.column_refs()).map(|column| column.name.clone());
            let (columns, values, ids) = (columns.collect(), self.values(raw, values), self.ids.clone());
            tables.insert(raw.clone(), RawIds { columns, values, ids });
        }
        Arc::new(move |batch: &RecordBatch| {
            let goes = |row: usize| -> bool {
                let table = tables.get(text(batch, "raw_table", row).unwrap_or_default());
                let is_of_value = |value: &str| {
                    let column = text(batch, "column_name", row).unwrap_or_default();
                    let is_id = table.is_none_or(|table| table.columns.contains(column));
                    mentions.values.contains(value.trim()) || (is_id && mentions.are_in(value))
                };
                let is_of_line = |line: &str| match table {
                    Some(table) => table.are_in_line(line, &mentions),
                    None => mentions.are_in_line(line, None),
                };
                text(batch, "value", row).is_some_and(is_of_value) || text(batch, "line", row).is_some_and(is_of_line)
            };
            Ok((0..batch.num_rows()).map(|row| Some(goes(row))).collect::<BooleanArray>())
        })
    }
}

fn by_failure(mentions: Arc<Mentions>) -> Rule {
    Arc::new(move |batch: &RecordBatch| {
        let goes = |row: usize| -> bool {
            let text = |column: &str| text(batch, column, row).unwrap_or_default();
            let (columns, key, value) = (text("key_columns"), text("key_values"), text("value"));
            let is_nobodys = text(CUSTOMER_ID).is_empty();
            mentions.are_in_key(columns, key, is_nobodys)
                || mentions.are_in_value(value, text("rule").contains(CUSTOMER_ID))
        };
        Ok((0..batch.num_rows()).map(|row| Some(goes(row))).collect::<BooleanArray>())
    })
}

fn by_mention(columns: Vec<String>, mentions: Arc<Mentions>) -> Rule {
    Arc::new(move |batch: &RecordBatch| {
        let mut goes = BooleanArray::from(vec![false; batch.num_rows()]);
        let texts = columns.iter().filter_map(|column| batch.column_by_name(column)?.as_string_opt::<i32>());
        for column in texts {
            goes = or(&goes, &one_of(column, |text| mentions.are_in(text)))?;
        }
        Ok(goes)
    })
}

fn text<'a>(batch: &'a RecordBatch, name: &str, row: usize) -> Option<&'a str> {
    let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
    column.is_valid(row).then(|| column.value(row))
}

/// How a raw table's ids are computed, for rows that are not in it.
struct RawIds {
    /// Columns that they are computed from.
    columns: BTreeSet<String>,
    values: Values,
    ids: BTreeSet<String>,
}

impl RawIds {
    fn are_in_line(&self, line: &str, mentions: &Mentions) -> bool {
        let names = self.values.columns.fields().iter().map(|field| field.name().as_str());
        let of_file: Vec<&str> = names.filter(|name| !SYSTEM_COLUMNS.contains(name)).collect();
        let places = of_file.iter().enumerate().filter(|(_, name)| self.columns.contains(**name));
        let columns: Vec<(usize, &str)> = places.map(|(place, name)| (place, *name)).collect();
        columns.is_empty() && mentions.are_in_line(line, None)
            || columns.into_iter().any(|(place, name)| {
                let is_one = |field: &str| self.is_one(name, field);
                let column = CustomerColumn { name, place, width: of_file.len(), is_one: &is_one };
                mentions.are_in_line(line, Some(&column))
            })
    }

    /// Whether the field of a file becomes one of the ids, with all other fields NULL.
    fn is_one(&self, column: &str, field: &str) -> bool {
        let id = || -> Option<bool> {
            let text: ArrayRef = Arc::new(StringArray::from(vec![field]));
            let value = conform(&text, self.values.columns.field_with_name(column).ok()?.data_type()).ok()?;
            let row = RecordBatch::try_from_iter([(column, value)]).ok()?;
            let computed = self.values.texts(&row).ok()?;
            Some(computed.iter().any(|texts| one_of(&canonical_ids(texts), |id| self.ids.contains(id)).value(0)))
        };
        id().unwrap_or_else(|| self.ids.contains(field.trim()))
    }
}
