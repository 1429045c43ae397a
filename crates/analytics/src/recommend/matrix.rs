use super::Interactions;
use crate::error::{Error, Result};

/// A sparse matrix by rows, columns ascending, each at most once in a row.
pub(super) struct Matrix {
    pub(super) columns: usize,
    offsets: Vec<usize>,
    entries: Vec<(u32, f32)>,
}

impl Matrix {
    /// Users by items.
    pub(super) fn of(interactions: &Interactions) -> Result<Self> {
        interactions.check()?;
        let Interactions { offsets, items, weights, catalogue } = *interactions;
        let (mut starts, mut entries) = (vec![0], Vec::with_capacity(items.len()));
        let mut row: Vec<(u32, f32)> = Vec::new();
        for (customer, pair) in offsets.windows(2).enumerate() {
            let range = pair[0]..pair[1];
            row.clear();
            row.extend(items[range.clone()].iter().copied().zip(weights[range].iter().copied()));
            // Stable, so that weights of one item add up in the order given.
            row.sort_by_key(|&(item, _)| item);
            let sum = |same: &[(u32, f32)]| (same[0].0, same.iter().map(|&(_, weight)| weight).sum());
            entries.extend(row.chunk_by(|a, b| a.0 == b.0).map(sum));
            let from = starts[starts.len() - 1];
            if let Some(&(_, sum)) = entries[from..].iter().find(|(_, sum): &&(u32, f32)| !sum.is_finite()) {
                let (what, value) = ("the sum of an item's weights", f64::from(sum));
                return Err(Error::Customer { customer, what, value, valid: "a finite number" });
            }
            starts.push(entries.len());
        }
        Ok(Self { columns: catalogue, offsets: starts, entries })
    }

    pub(super) fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    pub(super) fn row(&self, row: usize) -> &[(u32, f32)] {
        &self.entries[self.offsets[row]..self.offsets[row + 1]]
    }

    /// The same with the values of each column times that column's factor.
    pub(super) fn scaled(mut self, factors: &[f64]) -> Self {
        self.entries
            .iter_mut()
            .for_each(|(column, value)| *value = (f64::from(*value) * factors[*column as usize]) as f32);
        self
    }

    pub(super) fn transposed(&self) -> Self {
        let mut offsets = vec![0; self.columns + 1];
        self.entries.iter().for_each(|&(column, _)| offsets[column as usize + 1] += 1);
        (0..self.columns).for_each(|column| offsets[column + 1] += offsets[column]);
        let mut next = offsets.clone();
        let mut entries = vec![(0, 0.0); self.entries.len()];
        for row in 0..self.rows() {
            for &(column, weight) in self.row(row) {
                let place = &mut next[column as usize];
                entries[*place] = (row as u32, weight);
                *place += 1;
            }
        }
        Self { columns: self.rows(), offsets, entries }
    }
}
