//! [`Part`]: the groups of rows that are alike in the keys that come sorted, told apart by the other keys.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use foldhash::fast::FixedState;

use super::changes::Changes;

/// So many groups are looked through one by one; most customers have fewer.
const FEW: usize = 24;

/// The newest part's groups.
pub(super) struct Part {
    /// Indices of the keys that come sorted.
    sorted: Vec<usize>,
    /// The others', and how their values become comparable bytes.
    others: Vec<usize>,
    converter: RowConverter,
    known: Known,
}

/// Where a row's group is among those of its part.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) index: usize,
    /// Whether a part begins with it.
    pub(super) is_first: bool,
}

/// A part and the rows of a batch at which a key changes.
pub(super) struct OverBatch<'a> {
    known: &'a mut Known,
    is_first: Changes,
    others: Rows,
    row: usize,
}

#[derive(Default)]
struct Known {
    /// Of each group, with where its bytes end.
    hashes: Vec<(u64, usize)>,
    bytes: Vec<u8>,
    /// Of more than a few groups the newest with a hash, and of each group the one of the same hash before it.
    by_hash: HashMap<u64, usize, FixedState>,
    before: Vec<Option<usize>>,
}

impl Part {
    pub(super) fn new(sorted: &[usize], keys: &[Arc<dyn PhysicalExpr>], schema: &Schema) -> Result<Part> {
        let others: Vec<usize> = (0..keys.len()).filter(|key| !sorted.contains(key)).collect();
        let fields = others.iter().map(|key| Ok(SortField::new(keys[*key].data_type(schema)?)));
        let converter = RowConverter::new(fields.collect::<Result<_>>()?)?;
        Ok(Part { sorted: sorted.to_vec(), others, converter, known: Known::default() })
    }

    /// Where one of the keys changes, and what to ask at these rows; `last` is as in [`Changes::find`].
    pub(super) fn over(&mut self, keys: &[ArrayRef], last: &[ArrayRef]) -> Result<(Changes, OverBatch<'_>)> {
        let of = |keys: &[ArrayRef], which: &[usize]| -> Vec<ArrayRef> {
            which.iter().filter_map(|key| keys.get(*key).cloned()).collect()
        };
        let find = |which: &[usize]| Changes::find(&of(keys, which), &of(last, which));
        let is_first = find(&self.sorted)?;
        let changes = is_first.or(&find(&self.others)?)?;
        let rows: UInt32Array = changes.rows().map(|row| row as u32).collect::<Vec<_>>().into();
        let others = self.others.iter().map(|key| take(&keys[*key], &rows, None)).collect::<Result<Vec<_>, _>>()?;
        let others = self.converter.convert_columns(&others)?;
        Ok((changes, OverBatch { known: &mut self.known, is_first, others, row: 0 }))
    }

    pub(super) fn size(&self) -> usize {
        let of_group = size_of::<(u64, usize)>() + size_of::<(u64, usize)>() + size_of::<Option<usize>>();
        self.known.bytes.capacity() + self.known.hashes.capacity() * of_group
    }
}

impl OverBatch<'_> {
    /// The group of the next of these rows, which stands at `row` in the batch.
    pub(super) fn next(&mut self, row: usize) -> Place {
        let is_first = self.is_first.at(row);
        if is_first {
            self.known.clear();
        }
        let index = self.known.find_or_add(self.others.row(self.row).as_ref());
        self.row += 1;
        Place { index, is_first }
    }
}

impl Known {
    fn clear(&mut self) {
        self.hashes.clear();
        self.bytes.clear();
        if !self.before.is_empty() {
            self.by_hash.clear();
            self.before.clear();
        }
    }

    fn find_or_add(&mut self, key: &[u8]) -> usize {
        let hash = FixedState::default().hash_one(key);
        let count = self.hashes.len();
        let known = match self.before.is_empty() {
            true => (0..count).find(|group| self.is(*group, hash, key)),
            false => {
                let newest = self.by_hash.get(&hash).copied();
                std::iter::successors(newest, |group| self.before[*group]).find(|group| self.is(*group, hash, key))
            }
        };
        if let Some(known) = known {
            return known;
        }
        self.bytes.extend_from_slice(key);
        self.hashes.push((hash, self.bytes.len()));
        if count >= FEW {
            for group in self.before.len()..=count {
                let before = self.by_hash.insert(self.hashes[group].0, group);
                self.before.push(before);
            }
        }
        count
    }

    fn is(&self, group: usize, hash: u64, key: &[u8]) -> bool {
        let (of_group, end) = self.hashes[group];
        let start = group.checked_sub(1).map_or(0, |before| self.hashes[before].1);
        of_group == hash && self.bytes[start..end] == *key
    }
}
