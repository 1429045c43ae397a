//! A checked row-major table: what every algorithm here reads, and the fixed pieces in which threads read it.

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::error::{Error, IN_BOUNDS, Result, is_in_bounds, not_empty};

/// A piece has at least this many rows, and there are at most so many pieces. Both fix the order of addition.
const SMALLEST_PIECE: usize = 2048;
const MOST_PIECES: usize = 128;

#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    pub(super) x: &'a [f64],
    pub(super) columns: usize,
}

impl<'a> Table<'a> {
    /// Fails for no rows, no columns, an incomplete last row and a number that is not finite, naming its row and column.
    pub(super) fn new(x: &'a [f64], columns: usize) -> Result<Self> {
        not_empty("x", x.len())?;
        Self::of_any_rows(x, columns)
    }

    /// As `new`, and no rows are fine.
    pub(super) fn of_any_rows(x: &'a [f64], columns: usize) -> Result<Self> {
        not_empty("columns", columns)?;
        crate::error::same_length("x", x.len().div_ceil(columns) * columns, x.len())?;
        match x.iter().position(|v| !is_in_bounds(v)) {
            Some(i) => {
                let (row, column) = (i / columns, i % columns);
                Err(Error::Cell { row, column, value: x[i], valid: IN_BOUNDS })
            }
            None => Ok(Self { x, columns }),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.x.len() / self.columns
    }

    pub(super) fn row(&self, row: usize) -> &'a [f64] {
        &self.x[row * self.columns..][..self.columns]
    }

    /// The given rows, copied, in the given order.
    pub(super) fn gather(&self, rows: impl IntoIterator<Item = usize>) -> Vec<f64> {
        rows.into_iter().flat_map(|row| self.row(row).iter().copied()).collect()
    }

    /// `sample` different rows drawn by `rng`, in ascending order.
    pub(super) fn draw(&self, sample: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let mut drawn = rand::seq::index::sample(rng, self.rows(), sample.min(self.rows())).into_vec();
        drawn.sort_unstable();
        drawn
    }

    /// Rows in one piece.
    pub(super) fn piece(&self) -> usize {
        self.rows().div_ceil(MOST_PIECES).max(SMALLEST_PIECE)
    }

    /// Slices of whole rows, one for each piece.
    pub(super) fn pieces(&self) -> impl IndexedParallelIterator<Item = &'a [f64]> {
        self.x.par_chunks(self.piece() * self.columns)
    }

    /// Mean of each column, and the mean of the columns' variances.
    pub(super) fn moments(&self) -> (Vec<f64>, f64) {
        let rows = self.rows() as f64;
        let mean: Vec<f64> = self.sums(|_, v| v).iter().map(|sum| sum / rows).collect();
        let spread: f64 = self.sums(|j, v| (v - mean[j]).powi(2)).iter().sum();
        (mean, spread / (rows * self.columns as f64))
    }

    fn sums(&self, value: impl Fn(usize, f64) -> f64 + Sync) -> Vec<f64> {
        let one = |piece: &[f64]| {
            let mut sums = vec![0.0; self.columns];
            for row in piece.chunks_exact(self.columns) {
                sums.iter_mut().zip(row).enumerate().for_each(|(j, (sum, v))| *sum += value(j, *v));
            }
            sums
        };
        add_up(self.pieces().map(one).collect())
    }
}

/// Sums of equally long parts, added in their order.
pub(super) fn add_up(parts: Vec<Vec<f64>>) -> Vec<f64> {
    let add = |mut sum: Vec<f64>, part: Vec<f64>| {
        sum.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
        sum
    };
    parts.into_iter().reduce(add).unwrap_or_default()
}

/// Four sums side by side, because a single one waits for every addition.
pub(super) fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (a, b) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| (a - b) * (a - b)).sum();
    for (a, b) in a.zip(b) {
        for lane in 0..4 {
            sums[lane] += (a[lane] - b[lane]) * (a[lane] - b[lane]);
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}
