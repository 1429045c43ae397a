//! Defines reading of JSON lines: one object per line; nested values stay JSON text.

use std::fmt;

use arrow::datatypes::DataType;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::lines::Lines;
use super::rows::{Origin, Rows, TextRows};
use super::{InputFile, TextOptions};
use crate::error::Result;
use crate::infer::Guess;

pub(super) fn columns(file: &InputFile, options: &TextOptions) -> Result<Vec<(String, Option<DataType>)>> {
    let mut columns: Vec<(String, Guess)> = Vec::new();
    each_row(file, options, &mut |_, row| {
        for (name, value) in row.map_or(Vec::new(), |row| row.0) {
            let index = match columns.iter().position(|(known, _)| *known == name) {
                Some(index) => index,
                None => {
                    columns.push((name, Guess::default()));
                    columns.len() - 1
                }
            };
            let guess = &mut columns[index].1;
            match value {
                Value::String(text) => guess.see_text(&text),
                Value::Array(_) | Value::Object(_) => guess.see_text(&value.to_string()),
                Value::Null => {}
                scalar => guess.see(&scalar.to_string()),
            }
        }
        Ok(())
    })?;
    Ok(columns.into_iter().map(|(name, guess)| (name, guess.data_type())).collect())
}

/// `names` are those that [`columns`] found.
pub(super) fn read(
    file: &InputFile,
    options: &TextOptions,
    names: &[String],
    sink: &mut dyn FnMut(Rows) -> Result<()>,
) -> Result<()> {
    let mut rows = TextRows::new(names, sink);
    each_row(file, options, &mut |origin, row| {
        let mut row = match row {
            Ok(row) => row,
            Err(reason) => return rows.push_broken(origin, reason),
        };
        let cell = |name: &String| {
            // From the back: of a name given twice the last value counts, as in JSON parsers elsewhere.
            match row.0.iter().rposition(|(known, _)| known == name).map(|i| row.0.swap_remove(i).1)? {
                Value::Null => None,
                Value::String(text) => Some(text),
                other => Some(other.to_string()),
            }
        };
        let cells: Vec<Option<String>> = names.iter().map(cell).collect();
        rows.push(origin, cells.iter().map(Option::as_deref))
    })?;
    rows.finish()
}

fn each_row(
    file: &InputFile,
    options: &TextOptions,
    handle: &mut dyn FnMut(Origin, Result<Row, String>) -> Result<()>,
) -> Result<()> {
    let mut lines = Lines::open(file, options.encoding)?;
    let (mut line, mut row) = (String::new(), 0);
    while lines.next(&mut line)? {
        let text = line.trim();
        if text.is_empty() {
            continue;
        }
        row += 1;
        let object = serde_json::from_str(text).map_err(|e| format!("it is not one JSON object per line: {e}"));
        let object = lines.fault.take().map_or(object, Err);
        handle(Origin { row, line: Some((lines.number, text.to_string())) }, object)?;
    }
    Ok(())
}

/// An object with its members in the order of the file, which `serde_json::Map` does not keep.
struct Row(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut members = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Row(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
