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

/// The table of values is for all groups: each value carries the stamp of the last group that had it.
pub(super) struct DistinctCounts {
    /// Of types that are not text: their values as comparable bytes.
    converter: Option<RowConverter>,
    stamps: Stamps,
    /// Groups emitted; a group's number is its index after that.
    emitted: u64,
    counts: Vec<i64>,
}

/// The number of the group that last had a value.
#[derive(Default)]
struct Stamps {
    /// Of values of up to 15 bytes: these and their number.
    short: HashMap<u128, u64, RandomState>,
    long: HashMap<Box<[u8]>, u64, RandomState>,
    newest: u64,
}

impl Stamps {
    /// Whether the group has the value for the first time. Groups come one after the other.
    fn is_new(&mut self, value: &[u8], group: u64) -> bool {
        if group != self.newest && self.short.len() + self.long.len() > REMEMBERED {
            (self.short, self.long) = Default::default();
        }
        self.newest = group;
        let last = match short(value) {
            Some(value) => self.short.insert(value, group),
            None => match self.long.get_mut(value) {
                Some(stamp) => Some(std::mem::replace(stamp, group)),
                None => self.long.insert(value.into(), group),
            },
        };
        last != Some(group)
    }
}

fn short(value: &[u8]) -> Option<u128> {
    let mut bytes = [0; 16];
    bytes.get_mut(..value.len()).filter(|_| value.len() < 16)?.copy_from_slice(value);
    bytes[15] = value.len() as u8;
    Some(u128::from_le_bytes(bytes))
}

impl DistinctCounts {
    pub(super) fn new(data_type: &DataType) -> Result<DistinctCounts> {
        let converter = match data_type {
            DataType::Utf8 => None,
            other => Some(RowConverter::new(vec![SortField::new(other.clone())])?),
        };
        Ok(DistinctCounts { converter, stamps: Stamps::default(), emitted: 0, counts: Vec::new() })
    }

    fn see(&mut self, value: &[u8], group: usize) {
        self.counts[group] += i64::from(self.stamps.is_new(value, self.emitted + group as u64));
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
        let nulls = values.nulls();
        let counts = |row: usize| {
            nulls.is_none_or(|nulls| nulls.is_valid(row)) && filter.is_none_or(|f| f.is_valid(row) && f.value(row))
        };
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
        self.stamps.short.capacity() * size_of::<(u128, u64)>()
            + self.stamps.long.capacity() * size_of::<(Box<[u8]>, u64)>()
            + self.counts.capacity() * size_of::<i64>()
    }
}
