//! Defines reading of JSON lines: one object per line; nested values stay JSON text.

use std::fmt;
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::{BATCH_ROWS, broken_row, open};
use crate::error::Result;
use crate::infer::Guess;

pub(super) fn columns(path: &Path) -> Result<Vec<(String, Option<DataType>)>> {
    let mut columns: Vec<(String, Guess)> = Vec::new();
    each_row(path, &mut |row| {
        for (name, value) in row.0 {
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
pub(super) fn read(path: &Path, names: &[String], sink: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
    let schema = Schema::new(names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect::<Vec<_>>());
    let schema = Arc::new(schema);
    let mut builders: Vec<StringBuilder> = names.iter().map(|_| StringBuilder::new()).collect();
    let mut pending = 0;
    let mut finish = |builders: &mut Vec<StringBuilder>| {
        let columns = builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        sink(batch)
    };
    each_row(path, &mut |mut row| {
        for (name, builder) in names.iter().zip(&mut builders) {
            // From the back: of a name given twice the last value counts, as in JSON parsers elsewhere.
            let value = row.0.iter().rposition(|(known, _)| known == name).map(|i| row.0.swap_remove(i).1);
            match value {
                None | Some(Value::Null) => builder.append_null(),
                Some(Value::String(text)) if text.is_empty() => builder.append_null(),
                Some(Value::String(text)) => builder.append_value(text),
                Some(other) => builder.append_value(other.to_string()),
            }
        }
        pending += 1;
        if pending < BATCH_ROWS {
            return Ok(());
        }
        pending = 0;
        finish(&mut builders)
    })?;
    match pending {
        0 => Ok(()),
        _ => finish(&mut builders),
    }
}

fn each_row(path: &Path, handle: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
    let mut lines = open(path)?;
    let (mut line, mut number) = (String::new(), 0);
    loop {
        line.clear();
        number += 1;
        match lines.read_line(&mut line) {
            Ok(0) => return Ok(()),
            Ok(_) if line.trim().is_empty() => number -= 1,
            Ok(_) => {
                let row = serde_json::from_str(line.trim_start_matches('\u{feff}'));
                handle(row.map_err(|e| broken_row(path, number, format!("it is not one JSON object per line: {e}")))?)?;
            }
            Err(e) => return Err(broken_row(path, number, e.to_string())),
        }
    }
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
