//! Defines [`sort`]: the rows of a bucket in the order of its layout.

use arrow::array::{Array, RecordBatch};
use arrow::compute::interleave;
use arrow::error::ArrowError;
use arrow::row::{Row as RowKey, RowConverter, Rows, SortField};
use rayon::prelude::*;

use crate::layout::{ORDER, column_indices};

/// Rows of several batches in order.
pub(crate) struct SortedRows<'a> {
    batches: Vec<&'a RecordBatch>,
    /// Batch and row.
    order: Vec<(usize, usize)>,
}

impl SortedRows<'_> {
    /// Copies of the rows, `size` at a time.
    pub(crate) fn batches(&self, size: usize) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        self.order.chunks(size).map(|rows| interleave_columns(&self.batches, rows))
    }
}

/// These rows of the batches, of which there is one at least: [`arrow::compute::interleave_record_batch`], each column by
/// itself.
fn interleave_columns(batches: &[&RecordBatch], rows: &[(usize, usize)]) -> Result<RecordBatch, ArrowError> {
    let column = |column: usize| {
        let arrays: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(column).as_ref()).collect();
        interleave(&arrays, rows)
    };
    let columns = (0..batches[0].num_columns()).into_par_iter().map(column);
    RecordBatch::try_new(batches[0].schema(), columns.collect::<Result<_, _>>()?)
}

/// Sorts by these columns, of which all batches have the same types; equal rows keep their order.
pub(crate) fn sort<'a>(batches: &'a [RecordBatch], columns: &[&str]) -> Result<SortedRows<'a>, ArrowError> {
    let Some(first) = batches.first() else { return Ok(SortedRows { batches: Vec::new(), order: Vec::new() }) };
    let columns = column_indices(&first.schema(), columns)?;
    let fields = columns.iter().map(|&i| SortField::new_with_options(first.column(i).data_type().clone(), ORDER));
    let converter = RowConverter::new(fields.collect())?;
    let convert = |batch: &RecordBatch| {
        converter.convert_columns(&columns.iter().map(|&i| batch.column(i).clone()).collect::<Vec<_>>())
    };
    let keys: Vec<Rows> = batches.par_iter().map(convert).collect::<Result<_, _>>()?;

    let prefix = common_prefix(&keys);
    let rows_of = |(batch, keys): (usize, &Rows)| {
        let row = |(row, key): (usize, RowKey)| Row { start: start_of(&key.data()[prefix..]), at: (batch, row) };
        keys.iter().enumerate().map(row).collect::<Vec<_>>()
    };
    let mut rows: Vec<Row> = keys.par_iter().enumerate().flat_map_iter(rows_of).collect();
    let key = |row: &Row| keys[row.at.0].row(row.at.1);
    rows.par_sort_by(|a, b| a.start.cmp(&b.start).then_with(|| key(a).cmp(&key(b))));
    Ok(SortedRows { batches: batches.iter().collect(), order: rows.into_iter().map(|row| row.at).collect() })
}

/// The bytes of its key that follow what all keys begin with decide nearly every comparison, and are at hand.
struct Row {
    start: u128,
    /// Batch and row.
    at: (usize, usize),
}

/// The first bytes, which compare as they do.
fn start_of(key: &[u8]) -> u128 {
    let mut start = [0; size_of::<u128>()];
    let length = key.len().min(start.len());
    start[..length].copy_from_slice(&key[..length]);
    u128::from_be_bytes(start)
}

/// How many bytes all keys begin with.
fn common_prefix(keys: &[Rows]) -> usize {
    let Some(first) = keys.iter().flat_map(Rows::iter).next() else { return 0 };
    let first = first.data();
    let common = |keys: &Rows| {
        keys.iter().map(|key| key.data()).fold(first.len(), |length, key| match key.get(..length) {
            Some(start) if *start == first[..length] => length,
            _ => first.iter().zip(key).take_while(|(a, b)| a == b).count(),
        })
    };
    keys.par_iter().map(common).min().unwrap_or(first.len())
}
