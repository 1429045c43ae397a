//! Defines [`Order`]: how rows of two batches that both come in order compare.

use std::cmp::Ordering;
use std::ops::Range;

use arrow::array::{DynComparator, RecordBatch, make_comparator};
use datafusion::error::Result;

/// Compares rows of one batch with those of another.
pub(super) struct Order(Vec<DynComparator>);

impl Order {
    /// By pairs of columns, each of one and the other batch.
    pub(super) fn between(
        one: &RecordBatch,
        other: &RecordBatch,
        keys: impl IntoIterator<Item = (usize, usize)>,
    ) -> Result<Order> {
        let keys = keys.into_iter().map(|(key, of)| make_comparator(one.column(key), other.column(of), store::ORDER));
        Ok(Order(keys.collect::<Result<_, _>>()?))
    }

    pub(super) fn compare(&self, one: usize, other: usize) -> Ordering {
        self.0.iter().map(|compare| compare(one, other)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// The first of these rows that is not before, where those that are come first.
pub(super) fn partition_point(rows: Range<usize>, is_before: impl Fn(usize) -> bool) -> usize {
    let Range { start: mut low, end: mut high } = rows;
    while low < high {
        let middle = low.midpoint(high);
        if is_before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}
