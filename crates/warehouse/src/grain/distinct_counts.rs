//! `count(DISTINCT …)` per group, for groups that come one after the other.

use std::collections::HashMap;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use foldhash::fast::RandomState;

/// Values remembered from earlier groups, to be told apart without a new entry; beyond that a new group starts afresh.
const REMEMBERED: usize = 1 << 16;

/// One table of values for all groups: each value carries the stamp of the last group that had it.
pub(super) struct DistinctCounts {
    /// Of types that are not text: their values as comparable bytes.
    converter: Option<RowConverter>,
    /// The number of the group that last had the value.
    stamps: HashMap<Box<[u8]>, u64, RandomState>,
    /// Groups emitted; a group's number is its index after that.
    emitted: u64,
    newest: u64,
    counts: Vec<i64>,
}

impl DistinctCounts {
    pub(super) fn new(data_type: &DataType) -> Result<DistinctCounts> {
        let converter = match data_type {
            DataType::Utf8 => None,
            other => Some(RowConverter::new(vec![SortField::new(other.clone())])?),
        };
        Ok(DistinctCounts { converter, stamps: HashMap::default(), emitted: 0, newest: 0, counts: Vec::new() })
    }

    fn see(&mut self, value: &[u8], group: usize) {
        let number = self.emitted + group as u64;
        if number != self.newest && self.stamps.len() > REMEMBERED {
            self.stamps.clear();
        }
        self.newest = number;
        match self.stamps.get_mut(value) {
            Some(stamp) if *stamp == number => return,
            Some(stamp) => *stamp = number,
            None => _ = self.stamps.insert(value.into(), number),
        }
        self.counts[group] += 1;
    }
}

impl GroupsAccumulator for DistinctCounts {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.counts.resize(total, 0);
        let values = &values[0];
        let counts = |row: usize| values.is_valid(row) && filter.is_none_or(|f| f.is_valid(row) && f.value(row));
        let rows =
            self.converter.as_ref().map(|converter| converter.convert_columns(&[Arc::clone(values)])).transpose()?;
        for (row, group) in groups.iter().enumerate().filter(|(row, _)| counts(*row)) {
            match &rows {
                Some(rows) => self.see(rows.row(row).as_ref(), *group),
                None => self.see(values.as_string::<i32>().value(row).as_bytes(), *group),
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let counts = emit.take_needed(&mut self.counts);
        self.emitted += counts.len() as u64;
        Ok(Arc::new(Int64Array::from(counts)))
    }

    fn state(&mut self, _: EmitTo) -> Result<Vec<ArrayRef>> {
        internal_err!("distinct counts of sorted groups are final")
    }

    fn merge_batch(&mut self, _: &[ArrayRef], _: &[usize], _: usize) -> Result<()> {
        internal_err!("distinct counts of sorted groups are final")
    }

    fn convert_to_state(&self, _: &[ArrayRef], _: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        internal_err!("distinct counts of sorted groups are final")
    }

    fn size(&self) -> usize {
        self.stamps.capacity() * size_of::<(Box<[u8]>, u64)>() + self.counts.capacity() * size_of::<i64>()
    }
}
