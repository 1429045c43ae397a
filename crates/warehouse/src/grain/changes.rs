//! Where the key changes in rows that come sorted by it.

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::or;
use datafusion::error::Result;

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
            let differs = distinct(&key.slice(1, rows - 1), &key.slice(0, rows - 1))?;
            changes.others = Some(match changes.others {
                Some(others) => or(&others, &differs)?,
                None => differs,
            });
        }
        Ok(changes)
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
