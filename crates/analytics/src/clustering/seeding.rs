//! Starting centres by greedy k-means++: rows drawn with probability proportional to the squared distance from the
//! nearest centre so far, of a few draws the one that lowers the sum of these distances most (Arthur & Vassilvitskii
//! 2007, with the trials of their own program and of scikit-learn).

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::table::{Table, squared_distance};

/// `clusters` rows of `table`, row-major. Rows repeat only where fewer than `clusters` differ.
pub(super) fn plus_plus(table: &Table, clusters: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let trials = 2 + (clusters as f64).ln() as usize;
    let first = table.row(rng.random_range(0..table.rows()));
    let mut centres = first.to_vec();
    let mut potential = Potential::with(table, first, None);
    for _ in 1..clusters {
        let mut best: Option<(&[f64], Potential)> = None;
        for _ in 0..trials {
            let row = table.row(potential.draw(table.piece(), rng));
            let with = Potential::with(table, row, Some(&potential));
            if best.as_ref().is_none_or(|(_, best)| with.total < best.total) {
                best = Some((row, with));
            }
        }
        if let Some((row, with)) = best {
            centres.extend_from_slice(row);
            potential = with;
        }
    }
    centres
}

/// Squared distance of each row from its nearest centre, and the sums of them by piece and in all.
struct Potential {
    closest: Vec<f64>,
    pieces: Vec<f64>,
    total: f64,
}

impl Potential {
    fn with(table: &Table, centre: &[f64], before: Option<&Self>) -> Self {
        let mut closest = before.map_or_else(|| vec![f64::INFINITY; table.rows()], |b| b.closest.clone());
        let one = |(rows, closest): (&[f64], &mut [f64])| {
            let mut sum = 0.0;
            for (row, closest) in rows.chunks_exact(table.columns).zip(closest) {
                *closest = closest.min(squared_distance(row, centre));
                sum += *closest;
            }
            sum
        };
        let pieces: Vec<f64> = table.pieces().zip(closest.par_chunks_mut(table.piece())).map(one).collect();
        Self { closest, total: pieces.iter().sum(), pieces }
    }

    /// A row, in proportion to its squared distance; any row where all lie on a centre.
    fn draw(&self, piece: usize, rng: &mut ChaCha8Rng) -> usize {
        if self.total == 0.0 {
            return rng.random_range(0..self.closest.len());
        }
        let mut left = rng.random::<f64>() * self.total;
        let mut last = 0;
        for (sum, (start, closest)) in self.pieces.iter().zip((0..).step_by(piece).zip(self.closest.chunks(piece))) {
            if left >= *sum {
                left -= sum;
                last = if *sum > 0.0 { start + closest.iter().rposition(|&d| d > 0.0).unwrap_or(0) } else { last };
                continue;
            }
            for (row, distance) in (start..).zip(closest).filter(|(_, d)| **d > 0.0) {
                last = row;
                if left < *distance {
                    return row;
                }
                left -= distance;
            }
            return last;
        }
        last
    }
}
