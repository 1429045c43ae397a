//! Defines reading of JSON lines: one object per line; nested values stay JSON text.

use std::fmt;

use memchr::memrchr;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::in_order::in_order;
use super::pieces::{PIECE_BYTES, Piece, Pieces};
use super::rows::{Place, Rows, text_batch};
use super::{FileColumns, InputFile, TextOptions};
use crate::error::Result;
use crate::infer::Guess;

pub(super) fn columns(file: &InputFile, options: &TextOptions) -> Result<FileColumns> {
    let mut columns = Columns::default();
    let of_piece = |piece| {
        let mut columns = Columns::default();
        rows(&piece).filter_map(|(_, row)| row.ok()).flat_map(|row| row.0).for_each(|(name, value)| {
            columns.see(name, |guess| match value {
                Value::String(text) => guess.see_text(&text),
                Value::Array(_) | Value::Object(_) => guess.see_text(&value.to_string()),
                Value::Null => {}
                scalar => guess.see(&scalar.to_string()),
            });
        });
        Ok(columns)
    };
    each_piece(file, options, of_piece, &mut |found: Columns| {
        found.0.into_iter().for_each(|(name, found)| columns.see(name, |guess| guess.merge(found)));
        Ok(())
    })?;
    Ok(columns.0.into_iter().map(|(name, guess)| (name, guess.data_type())).collect())
}

/// `names` are those that [`columns`] found.
pub(super) fn read<T: Send>(
    file: &InputFile,
    options: &TextOptions,
    names: &[String],
    work: impl Fn(Rows) -> Result<T> + Sync,
    sink: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    each_piece(file, options, |piece| work(split(piece, names)?), sink)
}

fn split(piece: Piece, names: &[String]) -> Result<Rows> {
    let (mut places, mut cells, mut broken) = (Vec::new(), Vec::new(), Vec::new());
    for (place, row) in rows(&piece) {
        let mut row = match row {
            Ok(row) => row,
            Err(reason) => {
                broken.push((place, reason));
                continue;
            }
        };
        let cell = |name: &String| {
            // From the back: of a name given twice the last value counts, as in JSON parsers elsewhere.
            match row.0.iter().rposition(|(known, _)| known == name).map(|i| row.0.swap_remove(i).1)? {
                Value::Null => None,
                Value::String(text) => Some(text),
                other => Some(other.to_string()),
            }
        };
        cells.push(names.iter().map(cell).collect::<Vec<Option<String>>>());
        places.push(place);
    }
    let batch = text_batch(names, places.len(), |row, column| cells[row][column].as_deref())?;
    Ok(Rows::of_lines(batch, places, broken, piece.text))
}

fn each_piece<T: Send>(
    file: &InputFile,
    options: &TextOptions,
    work: impl Fn(Piece) -> Result<T> + Sync,
    sink: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    let mut pieces = Pieces::open(file, options.encoding, PIECE_BYTES)?;
    let whole_lines = |text: &str| memrchr(b'\n', text.as_bytes()).map_or(0, |end| end + 1);
    in_order(|| pieces.next(whole_lines), work, sink)
}

/// The objects of a piece, one in each line that is not blank, or why a line is none.
fn rows(piece: &Piece) -> impl Iterator<Item = (Place, Result<Row, String>)> {
    let (mut from, mut faults, mut row) = (0, piece.faults.iter().peekable(), 0);
    piece.text.split_inclusive('\n').zip(piece.first_line..).filter_map(move |(line, number)| {
        let start = from + (line.len() - line.trim_start().len());
        from += line.len();
        let mut fault = None;
        while let Some((_, of_line)) = faults.next_if(|(at, _)| *at < from) {
            fault.get_or_insert(of_line);
        }
        let text = line.trim();
        if text.is_empty() {
            return None;
        }
        let place = Place { row, line: number, from: start, to: start + text.len() };
        row += 1;
        let object = serde_json::from_str(text).map_err(|e| not_an_object(&e));
        Some((place, fault.map_or(object, |fault| Err(fault.clone()))))
    })
}

/// Columns in the order in which they are first seen.
#[derive(Default)]
struct Columns(Vec<(String, Guess)>);

impl Columns {
    fn see(&mut self, name: String, see: impl FnOnce(&mut Guess)) {
        let index = self.0.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            self.0.push((name, Guess::default()));
            self.0.len() - 1
        });
        see(&mut self.0[index].1);
    }
}

/// What is wrong with a line. The parser sees only that one, so it would call every line the first.
fn not_an_object(error: &serde_json::Error) -> String {
    let (problem, column) = (error.to_string(), error.column());
    let problem = problem.trim_end_matches(&format!(" at line {} column {column}", error.line()));
    let place = if column > 0 { format!(" at column {column}") } else { String::new() };
    format!("it is not one JSON object per line: {problem}{place}")
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
