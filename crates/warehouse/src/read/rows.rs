//! Defines [`Rows`], what readers hand on: a batch, where each of its rows stands in the file, and the rows that could not
//! be split into columns.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use super::{InputFile, file_error};
use crate::error::{Error, Result};

/// Rows read together.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) batch: RecordBatch,
    /// Of each row of the batch.
    pub(crate) places: Vec<Place>,
    /// Rows that can't be split into the file's columns, and why.
    pub(crate) broken: Vec<(Place, String)>,
    /// The lines that `places` are in; empty for files that have no lines.
    text: String,
}

/// Where one of several [`Rows`] stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which of them it is, from 0, the broken ones counted.
    pub(crate) row: u64,
    /// Number of its first line in the file, from 1; 0 in files that have no lines.
    pub(super) line: u64,
    /// Its part of the text.
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Where a row stands in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Data row, from 1.
    pub(crate) row: u64,
    /// Its first line, from 1, and its text; `None` in files that have no lines.
    pub(crate) line: Option<(u64, String)>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.line {
            Some((number, _)) => write!(f, "line {number}"),
            None => write!(f, "row {}", self.row),
        }
    }
}

impl Rows {
    /// Rows of a file that has no lines.
    pub(super) fn without_lines(batch: RecordBatch) -> Rows {
        let places = (0..batch.num_rows() as u64).map(|row| Place { row, line: 0, from: 0, to: 0 }).collect();
        Rows { batch, places, broken: Vec::new(), text: String::new() }
    }

    /// Rows that stand in lines, which `text` holds.
    pub(super) fn of_lines(batch: RecordBatch, places: Vec<Place>, broken: Vec<(Place, String)>, text: String) -> Rows {
        Rows { batch, places, broken, text }
    }

    /// An error where one can't be split into columns, for who wants all of a file's rows or none.
    pub(crate) fn check(&self, file: &InputFile) -> Result<()> {
        match self.broken.first() {
            Some((place, reason)) => Err(file_error(file, format!("{}: {reason}", self.origin(*place, 0)))),
            None => Ok(()),
        }
    }

    /// All of them, the broken ones too.
    pub(crate) fn count(&self) -> u64 {
        (self.places.len() + self.broken.len()) as u64
    }

    /// Where one of them stands in a file that has `before` others before them.
    pub(crate) fn origin(&self, place: Place, before: u64) -> Origin {
        let line = (place.line > 0).then(|| (place.line, self.text[place.from..place.to].to_string()));
        Origin { row: before + place.row + 1, line }
    }
}

/// Text columns; `cell` gives the value of a row and a column, empty ones are NULL.
pub(super) fn text_batch<'t>(
    names: &[String],
    rows: usize,
    cell: impl Fn(usize, usize) -> Option<&'t str>,
) -> Result<RecordBatch> {
    let value = |row, column| cell(row, column).filter(|value| !value.is_empty());
    let column = |column| Arc::new((0..rows).map(|row| value(row, column)).collect::<StringArray>()) as ArrayRef;
    let columns = (0..names.len()).map(column).collect();
    let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).map_err(Error::from)
}
