//! Where the key changes in rows that come sorted by it.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, StringArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::or;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::error::Result;

use crate::dictionaries::is_dictionary;

/// The rows of equal keys that come one after the other, NULL equal to NULL: where each run begins and where the last ends.
pub(super) fn runs(key: &ArrayRef) -> Result<Vec<usize>> {
    Ok(Changes::find(std::slice::from_ref(key), &[])?.rows().chain([key.len()]).collect())
}

/// For each row whether its key differs from that of the row before; NULL equals NULL.
pub(super) struct Changes {
    first: bool,
    /// Of the rows after the first.
    others: Option<BooleanArray>,
}

impl Changes {
    /// `last`: the key of the row before the first one, one array of length one a column; empty if there was none, which
    /// counts as a change.
    pub(super) fn find(keys: &[ArrayRef], last: &[ArrayRef]) -> Result<Changes> {
        let rows = keys.first().map_or(0, |key| key.len());
        let mut changes = Changes { first: rows > 0 && last.is_empty(), others: None };
        if rows == 0 {
            return Ok(changes);
        }
        for (key, last) in keys.iter().zip(last) {
            changes.first |= distinct(last, &key.slice(0, 1))?.value(0);
        }
        for key in keys {
            let differs = match key.data_type() {
                DataType::Utf8 => texts_differ(key.as_string()),
                other if is_dictionary(other) => indices_differ(key.as_dictionary()),
                _ => distinct(&key.slice(1, rows - 1), &key.slice(0, rows - 1))?,
            };
            changes.others = Some(match changes.others {
                Some(others) => or(&others, &differs)?,
                None => differs,
            });
        }
        Ok(changes)
    }

    /// Where one of two keys changes.
    pub(super) fn or(&self, with: &Changes) -> Result<Changes> {
        let others = match (&self.others, &with.others) {
            (Some(one), Some(other)) => Some(or(one, other)?),
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        Ok(Changes { first: self.first || with.first, others })
    }

    pub(super) fn at(&self, row: usize) -> bool {
        match (row.checked_sub(1), &self.others) {
            (None, _) => self.first,
            (Some(row), Some(others)) => others.value(row),
            (Some(_), None) => false,
        }
    }

    /// The rows that begin a new key.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        let others = self.others.iter().flat_map(|others| others.values().set_indices());
        self.first.then_some(0).into_iter().chain(others.map(|row| row + 1))
    }
}

/// Of the rows after the first: ids are short, and most are those of the row before.
fn texts_differ(texts: &StringArray) -> BooleanArray {
    let (ends, bytes) = (texts.value_offsets(), texts.value_data());
    let text = |row: usize| &bytes[ends[row] as usize..ends[row + 1] as usize];
    neighbours_differ(texts, |row| !is_same(text(row), text(row + 1)))
}

/// The same for texts of a dictionary, which may have one more than once.
fn indices_differ(texts: &DictionaryArray<Int32Type>) -> BooleanArray {
    let (indices, values) = (texts.keys().values(), texts.values().as_string::<i32>());
    let text = |row: usize| values.value(indices[row] as usize);
    neighbours_differ(texts, |row| indices[row] != indices[row + 1] && text(row) != text(row + 1))
}

/// `differ`: whether the value of a row differs from the next one, neither being NULL.
fn neighbours_differ(values: &dyn Array, differ: impl Fn(usize) -> bool) -> BooleanArray {
    let pairs = values.len() - 1;
    match values.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => BooleanBuffer::collect_bool(pairs, differ),
        Some(nulls) => BooleanBuffer::collect_bool(pairs, |row| match (nulls.is_valid(row), nulls.is_valid(row + 1)) {
            (true, true) => differ(row),
            (one, other) => one != other,
        }),
    }
    .into()
}

/// Without a call for texts of up to 16 bytes.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && match a.len() {
            0 => true,
            1..=3 => a.iter().eq(b),
            4..=7 => a.first_chunk::<4>() == b.first_chunk::<4>() && a.last_chunk::<4>() == b.last_chunk::<4>(),
            8..=16 => a.first_chunk::<8>() == b.first_chunk::<8>() && a.last_chunk::<8>() == b.last_chunk::<8>(),
            _ => a == b,
        }
}
