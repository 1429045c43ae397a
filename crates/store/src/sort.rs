//! Defines [`sort`]: the rows of a bucket in the order of its layout.

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
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
        self.order.chunks(size).map(|rows| interleave_record_batch(&self.batches, rows))
    }
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
    let keys: Vec<Rows> = batches.iter().map(convert).collect::<Result<_, _>>()?;

    let prefix = common_prefix(&keys);
    let mut rows = Vec::with_capacity(keys.iter().map(Rows::num_rows).sum());
    for (batch, keys) in keys.iter().enumerate() {
        let row = |(row, key): (usize, &[u8])| Row { start: start_of(&key[prefix..]), at: (batch, row) };
        rows.extend(keys.iter().map(|key| key.data()).enumerate().map(row));
    }
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
    let mut all = keys.iter().flat_map(Rows::iter).map(|key| key.data());
    let Some(first) = all.next() else { return 0 };
    all.fold(first.len(), |length, key| match key.get(..length) {
        Some(start) if *start == first[..length] => length,
        _ => first.iter().zip(key).take_while(|(a, b)| a == b).count(),
    })
}
