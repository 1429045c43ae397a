//! `count(DISTINCT …)` per group, for groups that come one after the other.

use std::collections::{HashMap, HashSet};
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Int32Type};
use arrow::row::{RowConverter, SortField};
use datafusion::common::internal_err;
use datafusion::error::Result;
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use foldhash::fast::RandomState;

use super::folds::counted;
use crate::dictionaries::is_dictionary;

/// Values remembered from earlier groups, to be told apart without a new entry; beyond that a new group starts afresh.
const REMEMBERED: usize = 1 << 16;

/// What was seen is for all groups: each value carries the stamp of the last group that had it.
pub(super) struct DistinctCounts {
    seen: Seen,
    /// Groups emitted; a group's number is its index after that, from 1 on.
    emitted: u64,
    counts: Vec<i64>,
}

enum Seen {
    Texts(Stamps),
    /// As comparable bytes.
    Values(RowConverter, Stamps),
    Dictionary(DictionaryStamps),
}

impl DistinctCounts {
    pub(super) fn new(data_type: &DataType) -> Result<DistinctCounts> {
        let seen = match data_type {
            DataType::Utf8 => Seen::Texts(Stamps::default()),
            other if is_dictionary(other) => Seen::Dictionary(DictionaryStamps::default()),
            other => Seen::Values(RowConverter::new(vec![SortField::new(other.clone())])?, Stamps::default()),
        };
        Ok(DistinctCounts { seen, emitted: 0, counts: Vec::new() })
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
        let mask = counted(values, filter);
        let rows = groups.iter().enumerate().filter(|(row, _)| mask.as_ref().is_none_or(|mask| mask.value(*row)));
        let number = |group: usize| self.emitted + group as u64 + 1;
        let counts = &mut self.counts;
        match &mut self.seen {
            Seen::Texts(stamps) => {
                let texts = values.as_string::<i32>();
                count(counts, rows, |row, group| stamps.is_new(texts.value(row).as_bytes(), number(group)));
            }
            Seen::Values(converter, stamps) => {
                let values = converter.convert_columns(&[Arc::clone(values)])?;
                count(counts, rows, |row, group| stamps.is_new(values.row(row).as_ref(), number(group)));
            }
            Seen::Dictionary(stamps) => {
                let values = values.as_dictionary::<Int32Type>();
                stamps.turn_to(values);
                count(counts, rows, |row, group| stamps.is_new(values.keys().value(row) as usize, number(group)));
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
        let seen = match &self.seen {
            Seen::Texts(stamps) | Seen::Values(_, stamps) => stamps.size(),
            Seen::Dictionary(known) => known.stamps.capacity() * (size_of::<u64>() + size_of::<u32>()),
        };
        seen + self.counts.capacity() * size_of::<i64>()
    }
}

/// Counts the rows, each with its group, that are new to it.
fn count<'a>(
    counts: &mut [i64],
    rows: impl Iterator<Item = (usize, &'a usize)>,
    mut is_new: impl FnMut(usize, usize) -> bool,
) {
    for (row, &group) in rows {
        counts[group] += i64::from(is_new(row, group));
    }
}

/// The number of the group that last had a value. Groups come one after the other.
#[derive(Default)]
struct Stamps {
    /// Of values of up to 15 bytes: these and their number.
    short: HashMap<u128, u64, RandomState>,
    long: HashMap<Box<[u8]>, u64, RandomState>,
    newest: u64,
}

impl Stamps {
    /// Whether the group has the value for the first time.
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

    fn size(&self) -> usize {
        self.short.capacity() * size_of::<(u128, u64)>() + self.long.capacity() * size_of::<(Box<[u8]>, u64)>()
    }
}

fn short(value: &[u8]) -> Option<u128> {
    let mut bytes = [0; 16];
    bytes.get_mut(..value.len()).filter(|_| value.len() < 16)?.copy_from_slice(value);
    bytes[15] = value.len() as u8;
    Some(u128::from_le_bytes(bytes))
}

/// The same for values that are told by their index in a dictionary, which is another one from time to time.
#[derive(Default)]
struct DictionaryStamps {
    values: Option<StringArray>,
    /// Of each value the first index that has it: a dictionary may have a text more than once.
    firsts: Vec<u32>,
    /// By first index.
    stamps: Vec<u64>,
    newest: u64,
    /// What the group of this number had of the dictionaries before.
    had: HashSet<Box<str>>,
    had_by: u64,
}

impl DictionaryStamps {
    /// Goes on with the dictionary of this array. The newest group may have more rows: what it had it still has.
    fn turn_to(&mut self, array: &DictionaryArray<Int32Type>) {
        let values = array.values().as_string::<i32>();
        if self.values.as_ref().is_some_and(|known| is_same(known, values)) {
            return;
        }
        if self.had_by != self.newest {
            self.had.clear();
            self.had_by = self.newest;
        }
        let before = self.values.replace(values.clone());
        let stamps = std::mem::replace(&mut self.stamps, vec![0; values.len()]);
        let had = before.iter().flatten().zip(stamps).filter(|(_, stamp)| *stamp == self.newest);
        self.had.extend(had.filter_map(|(value, _)| value.map(Box::from)));
        let mut firsts: HashMap<&str, u32, RandomState> = HashMap::default();
        self.firsts.clear();
        for (index, value) in values.iter().enumerate() {
            let value = value.unwrap_or_default();
            self.firsts.push(*firsts.entry(value).or_insert(index as u32));
            if self.had.contains(value) {
                self.stamps[index] = self.newest;
            }
        }
    }

    fn is_new(&mut self, value: usize, group: u64) -> bool {
        self.newest = group;
        std::mem::replace(&mut self.stamps[self.firsts[value] as usize], group) != group
    }
}

/// Whether both are the very same memory.
fn is_same(a: &StringArray, b: &StringArray) -> bool {
    a.len() == b.len() && a.values().ptr_eq(b.values()) && a.offsets().ptr_eq(b.offsets())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever batches rows come in, and whatever dictionary each batch has.
        #[test]
        fn dictionaries_are_counted_as_texts_are(
            groups in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.9, 0u8..6), 1..9), 1..12),
            cuts in prop::collection::vec(1usize..7, 1..40),
            is_one_dictionary: bool,
        ) {
            let rows = groups.iter().enumerate().flat_map(|(group, values)| values.iter().map(move |value| (group, *value)));
            let mut rows = rows.peekable();
            // As filters and unions put dictionaries together: each text twice.
            let all = StringArray::from_iter_values((0..12).map(|value| format!("v{}", value % 6)));
            let mut counts = DistinctCounts::new(&DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into())).unwrap();
            let mut cuts = cuts.into_iter().cycle();
            while rows.peek().is_some() {
                let batch: Vec<_> = rows.by_ref().take(cuts.next().unwrap()).collect();
                let texts = batch.iter().map(|(_, value)| value.map(|value| format!("v{value}")));
                let values: DictionaryArray<Int32Type> = match is_one_dictionary {
                    true => {
                        let second = |row: usize| if row.is_multiple_of(2) { 0 } else { 6 };
                        let keys = batch.iter().enumerate();
                        let keys = keys.map(|(row, (_, value))| value.map(|value| i32::from(value) + second(row))).collect();
                        DictionaryArray::new(keys, Arc::new(all.clone()))
                    }
                    false => texts.collect::<Vec<_>>().iter().map(Option::as_deref).collect(),
                };
                let indices: Vec<usize> = batch.iter().map(|(group, _)| *group).collect();
                let total = indices[indices.len() - 1] + 1;
                counts.update_batch(&[Arc::new(values)], &indices, None, total).unwrap();
            }
            let found = counts.evaluate(EmitTo::All).unwrap();
            let of = |values: &Vec<Option<u8>>| values.iter().flatten().collect::<HashSet<_>>().len();
            let expected: Int64Array = groups.iter().map(|values| of(values) as i64).collect::<Vec<_>>().into();
            prop_assert_eq!(found.as_primitive::<arrow::datatypes::Int64Type>(), &expected);
        }
    }
}
