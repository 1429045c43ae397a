//! Defines which columns and types a raw table gets: those it has, then those that its files bring, of the types asked for
//! or else of all their values.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{Incoming, SYSTEM_COLUMNS};
use crate::conform::table_type;
use crate::ddl::{TYPES, parse_type, timestamp, type_name};
use crate::error::{Error, Result};
use crate::infer::all_columns;

/// The types that a user asks for, by column.
pub(super) fn wanted_types(schema: &BTreeMap<String, String>) -> Result<BTreeMap<String, DataType>> {
    let parsed = schema.iter().map(|(column, name)| match parse_type(name) {
        Some(data_type) => Ok((column.clone(), data_type)),
        None => {
            let valid = format!("column \"{column}\" can be {TYPES}");
            Err(Error::Argument { what: "type", value: name.clone(), valid })
        }
    });
    parsed.collect()
}

/// The table's columns, then those new in `incoming`, then (for a new table) the system columns.
pub(super) fn target_schema(
    table: &str,
    pinned: &Schema,
    incoming: &[Incoming],
    wanted: &BTreeMap<String, DataType>,
) -> Result<SchemaRef> {
    check_shared(table, pinned, incoming)?;
    let new = new_columns(pinned, incoming)?;
    check_wanted(table, pinned, &new, wanted)?;
    let mut fields: Vec<Field> = pinned.fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.extend(new.into_iter().map(|(name, data_type)| {
        let data_type = wanted.get(name).cloned().or(data_type);
        Field::new(name, data_type.unwrap_or(DataType::Utf8), true)
    }));
    for name in SYSTEM_COLUMNS {
        if pinned.index_of(name).is_err() {
            fields.push(Field::new(name, system_type(name), true));
        }
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// Each file has a column of the table, or of a file before it: one with nothing but its own columns is another table's.
fn check_shared(table: &str, pinned: &Schema, incoming: &[Incoming]) -> Result<()> {
    let own = pinned.fields().iter().map(|field| field.name().as_str()).filter(|name| !SYSTEM_COLUMNS.contains(name));
    let mut known: Vec<&str> = own.collect();
    for Incoming { file, inspection, .. } in incoming {
        let names = || inspection.columns.iter().map(|(name, _)| name.as_str());
        if !known.is_empty() && !names().any(|name| known.contains(&name)) {
            let (names, known) = (names().collect::<Vec<_>>().join(", "), known.join(", "));
            let problem = format!("its columns are {names}, none of those of {table}, which are {known}");
            let way_out = "load it into another table; --columns names the columns of a file without a header";
            return Err(Error::File { file: file.shown.clone(), problem: format!("{problem}; {way_out}") });
        }
        for name in names() {
            if !known.contains(&name) {
                known.push(name);
            }
        }
    }
    Ok(())
}

/// Whether a first load has not a single value to tell a type by, and is told none: its columns would be text for ever.
pub(super) fn is_untold(pinned: &Schema, incoming: &[Incoming], wanted: &BTreeMap<String, DataType>) -> bool {
    let mut columns = incoming.iter().flat_map(|incoming| &incoming.inspection.columns);
    let is_told = |(name, data_type): &(String, Option<DataType>)| data_type.is_some() || wanted.contains_key(name);
    pinned.fields().is_empty() && !columns.any(is_told)
}

/// The types of the new columns that were told from a part of their values: a value further on may be of another.
pub(super) fn sampled_types(
    pinned: &Schema,
    incoming: &[Incoming],
    wanted: &BTreeMap<String, DataType>,
) -> Result<BTreeMap<String, Option<DataType>>> {
    if !incoming.iter().any(|incoming| incoming.inspection.is_sampled) {
        return Ok(BTreeMap::new());
    }
    let new = new_columns(pinned, incoming)?.into_iter().filter(|(name, _)| !wanted.contains_key(*name));
    Ok(new.map(|(name, data_type)| (name.to_string(), data_type)).collect())
}

/// The files' types of columns whose values get another form in the table: decimals and nested ones.
pub(super) fn file_types(incoming: &[Incoming]) -> BTreeMap<String, String> {
    let columns = incoming.iter().flat_map(|incoming| &incoming.inspection.columns);
    let typed = columns.filter_map(|(name, own)| own.as_ref().map(|own| (name, own)));
    let reshaped = typed.filter(|(_, own)| own.is_decimal() || own.is_nested());
    reshaped.map(|(name, own)| (name.clone(), type_name(own))).collect()
}

/// Columns that the table lacks, with the type of their values; `None` where all are NULL.
fn new_columns<'a>(pinned: &Schema, incoming: &'a [Incoming]) -> Result<Vec<(&'a str, Option<DataType>)>> {
    for Incoming { file, inspection, .. } in incoming {
        if let Some((name, _)) = inspection.columns.iter().find(|(name, _)| SYSTEM_COLUMNS.contains(&name.as_str())) {
            let problem = format!("column \"{name}\" has a name that raw tables keep for themselves; rename it");
            return Err(Error::File { file: file.shown.clone(), problem });
        }
    }
    let columns = incoming.iter().flat_map(|incoming| &incoming.inspection.columns);
    let new = columns.filter(|(name, _)| pinned.index_of(name).is_err());
    Ok(all_columns(new.map(|(name, own)| (name.as_str(), own.as_ref().and_then(table_type)))))
}

/// Every wanted type is that of a column there is, and of no column that has another type already.
fn check_wanted(
    table: &str,
    pinned: &Schema,
    new: &[(&str, Option<DataType>)],
    wanted: &BTreeMap<String, DataType>,
) -> Result<()> {
    for (column, data_type) in wanted {
        match pinned.field_with_name(column) {
            Ok(field) if field.data_type() == data_type => {}
            Ok(field) => {
                let had = type_name(field.data_type());
                let valid = format!("{table}.{column} is {had} since its first load; load into a new table instead");
                return Err(Error::Argument { what: "type", value: type_name(data_type), valid });
            }
            Err(_) if new.iter().any(|(name, _)| name == column) => {}
            Err(_) => {
                let known = pinned.fields().iter().map(|field| field.name().as_str());
                let known =
                    known.filter(|name| !SYSTEM_COLUMNS.contains(name)).chain(new.iter().map(|(name, _)| *name));
                let valid = format!("the columns are {}", known.collect::<Vec<_>>().join(", "));
                return Err(Error::Argument { what: "column of the schema", value: column.clone(), valid });
            }
        }
    }
    Ok(())
}

fn system_type(name: &str) -> DataType {
    match name {
        "_row" => DataType::Int64,
        "_loaded_at" => timestamp(),
        _ => DataType::Utf8,
    }
}
