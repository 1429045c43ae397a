//! The nearest centre of every row, which is all the time that k-means takes. ‖x − c‖² = ‖x‖² − 2 (x·c − ‖c‖²/2), and
//! ‖x‖² is the same for all centres, so the row's centre is the one with the least ‖c‖²/2 − x·c: two operations a number
//! where the plain distance has three. Both are measured from `origin`, the mean of all rows, without which the
//! subtraction would lose the digits of data far from 0. Eight rows go side by side, so that sums and comparisons of all
//! eight are vector instructions without any reassociation: the same bits whatever the width of the machine's vectors.

use rayon::prelude::*;

use super::table::Table;
use crate::wide::wide;

/// Rows side by side.
const LANES: usize = 8;

/// Centres made ready for many rows.
pub(super) struct Nearest<'a> {
    pub(super) origin: &'a [f64],
    clusters: usize,
    /// Row-major centres from the origin, negated; an even number, the last one perhaps out of reach.
    negated: Vec<f64>,
    half_norms: Vec<f64>,
}

impl<'a> Nearest<'a> {
    /// `centres` are row-major with as many columns as `origin`.
    pub(super) fn new(centres: &[f64], origin: &'a [f64]) -> Self {
        let columns = origin.len();
        let mut negated = Vec::with_capacity(centres.len() + columns);
        for centre in centres.chunks_exact(columns) {
            negated.extend(origin.iter().zip(centre).map(|(o, c)| o - c));
        }
        let half_norm = |centre: &[f64]| centre.iter().map(|c| c * c).sum::<f64>() / 2.0;
        let mut half_norms: Vec<f64> = negated.chunks_exact(columns).map(half_norm).collect();
        let clusters = half_norms.len();
        if clusters % 2 == 1 {
            half_norms.push(f64::INFINITY);
            negated.resize(negated.len() + columns, 0.0);
        }
        Self { origin, clusters, negated, half_norms }
    }

    pub(super) fn clusters(&self) -> usize {
        self.clusters
    }

    /// Calls `each` with every row of `rows` (row-major), in order, and with its nearest centre; the first of equals.
    pub(super) fn for_each(&self, rows: &[f64], mut each: impl FnMut(&[f64], usize)) {
        let columns = self.origin.len();
        let mut tile = vec![[0.0; LANES]; columns];
        for block in rows.chunks(LANES * columns) {
            for (lane, row) in block.chunks_exact(columns).enumerate() {
                for ((cell, value), origin) in tile.iter_mut().zip(row).zip(self.origin) {
                    cell[lane] = value - origin;
                }
            }
            let nearest = of_tile(&tile, &self.negated, &self.half_norms);
            for (row, nearest) in block.chunks_exact(columns).zip(nearest) {
                each(row, nearest as usize);
            }
        }
    }

    /// The nearest centre of each row of `table`.
    pub(super) fn labels(&self, table: &Table) -> Vec<u32> {
        let one = |rows: &[f64]| {
            let mut labels = Vec::with_capacity(rows.len() / table.columns);
            self.for_each(rows, |_, label| labels.push(label as u32));
            labels
        };
        table.pieces().flat_map_iter(one).collect()
    }
}

/// A row of eight numbers for each column.
type Tile = [[f64; LANES]];

wide! {
    /// The nearest centre of each row of a tile, of centres and halves of their squared norms as in [`Nearest`].
    fn of_tile(tile: &Tile, negated: &[f64], half_norms: &[f64]) -> [u64; LANES] = plain;
}

/// Two centres at a time: their eight sums each fill the vector registers that every x86-64 has, or half of AVX2's.
#[inline(always)]
fn plain(tile: &Tile, negated: &[f64], half_norms: &[f64]) -> [u64; LANES] {
    let (mut least, mut nearest) = ([f64::INFINITY; LANES], [0u64; LANES]);
    let pairs = negated.chunks_exact(2 * tile.len()).zip(half_norms.chunks_exact(2));
    for (pair, (centres, half_norms)) in pairs.enumerate() {
        let (first, second) = centres.split_at(tile.len());
        let mut sums = [[half_norms[0]; LANES], [half_norms[1]; LANES]];
        for ((cells, first), second) in tile.iter().zip(first).zip(second) {
            for lane in 0..LANES {
                sums[0][lane] += cells[lane] * first;
                sums[1][lane] += cells[lane] * second;
            }
        }
        for (centre, sums) in (2 * pair as u64..).zip(sums) {
            for lane in 0..LANES {
                nearest[lane] = if sums[lane] < least[lane] { centre } else { nearest[lane] };
                least[lane] = if sums[lane] < least[lane] { sums[lane] } else { least[lane] };
            }
        }
    }
    nearest
}
