//! Defines [`Rows`], what readers hand on: a batch, where each of its rows stands in the file, and the rows that could not
//! be split into columns.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::BATCH_ROWS;
use crate::error::Result;

/// Rows read together.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) batch: RecordBatch,
    /// Of each row of the batch.
    pub(crate) origins: Vec<Origin>,
    pub(crate) broken: Vec<Broken>,
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

/// A row that can't be split into the file's columns.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) origin: Origin,
    pub(crate) reason: String,
}

type Sink<'a> = &'a mut dyn FnMut(Rows) -> Result<()>;

/// Text columns filled row by row.
pub(super) struct TextRows<'a> {
    schema: SchemaRef,
    builders: Vec<StringBuilder>,
    origins: Vec<Origin>,
    broken: Vec<Broken>,
    sink: Sink<'a>,
}

impl<'a> TextRows<'a> {
    pub(super) fn new(names: &[String], sink: Sink<'a>) -> Self {
        let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        let builders = names.iter().map(|_| StringBuilder::new()).collect();
        TextRows { schema: Arc::new(Schema::new(fields)), builders, origins: Vec::new(), broken: Vec::new(), sink }
    }

    /// Takes a row with a cell for each name; empty ones are NULL.
    pub(super) fn push<'c>(&mut self, origin: Origin, cells: impl Iterator<Item = Option<&'c str>>) -> Result<()> {
        for (builder, cell) in self.builders.iter_mut().zip(cells) {
            builder.append_option(cell.filter(|cell| !cell.is_empty()));
        }
        self.origins.push(origin);
        self.pass_on(BATCH_ROWS)
    }

    pub(super) fn push_broken(&mut self, origin: Origin, reason: String) -> Result<()> {
        self.broken.push(Broken { origin, reason });
        self.pass_on(BATCH_ROWS)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        self.pass_on(1)
    }

    /// Hands on what there is, if it is as many rows.
    fn pass_on(&mut self, at_least: usize) -> Result<()> {
        if self.origins.len() + self.broken.len() < at_least {
            return Ok(());
        }
        let columns = self.builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.origins.len()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        let (origins, broken) = (std::mem::take(&mut self.origins), std::mem::take(&mut self.broken));
        (self.sink)(Rows { batch, origins, broken })
    }
}
