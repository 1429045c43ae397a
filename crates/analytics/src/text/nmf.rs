//! [`Factors`]: non-negative matrix factorisation, by coordinate descent (Cichocki & Phan, IEICE Transactions E92-A, 2009;
//! scikit-learn's `NMF(solver="cd", init="nndsvd")`). Its start is a fixed function of the matrix, so that the answer is too.

use rayon::prelude::*;

use super::singular::{Singular, gram, largest, times};
use crate::sparse::Sparse;

const MAX_ROUNDS: usize = 200;
/// A round whose changes add up to no more than this share of the first round's is the last.
const SMALL_CHANGE: f64 = 1e-4;
/// Parts of the start below this are 0.
const SMALL_START: f64 = 1e-6;

/// Rows of the matrix ≈ rows of `left` times `right`, transposed; `rank` numbers a row, none negative.
pub(super) struct Factors {
    pub(super) rank: usize,
    pub(super) left: Vec<f64>,
    pub(super) right: Vec<f64>,
    /// The share of the matrix's squares that is left over.
    pub(super) unexplained: f64,
}

impl Factors {
    /// Least squares with non-negative factors: a local optimum.
    pub(super) fn of(matrix: &Sparse, rank: usize) -> Self {
        let transposed = matrix.transposed();
        let (mut left, mut right) = start(&largest(matrix, &transposed, rank), matrix.rows(), matrix.columns);
        let mut first = 0.0;
        for round in 0..MAX_ROUNDS {
            let change = sweep(matrix, &mut left, &right, rank) + sweep(&transposed, &mut right, &left, rank);
            first = if round == 0 { change } else { first };
            if change <= SMALL_CHANGE * first {
                break;
            }
        }
        let squares: f64 = (0..matrix.rows()).flat_map(|row| matrix.row(row)).map(|(_, v)| f64::from(*v).powi(2)).sum();
        let common: f64 = times(matrix, &right, rank).iter().zip(&left).map(|(a, b)| a * b).sum();
        let product: f64 = gram(&left, rank).iter().zip(&gram(&right, rank)).map(|(a, b)| a * b).sum();
        Self { rank, left, right, unexplained: ((squares - 2.0 * common + product) / squares).max(0.0) }
    }
}

/// Non-negative double singular value decomposition (Boutsidis & Gallopoulos, Pattern Recognition 41, 2008): of each pair of
/// vectors the parts of the sign that has the larger product.
fn start(pairs: &[Singular], rows: usize, columns: usize) -> (Vec<f64>, Vec<f64>) {
    let rank = pairs.len();
    let (mut left, mut right) = (vec![0.0; rows * rank], vec![0.0; columns * rank]);
    for (topic, pair) in pairs.iter().enumerate() {
        let length = |vector: &[f64], sign: f64| -> f64 {
            vector.iter().map(|v| (sign * v).max(0.0).powi(2)).sum::<f64>().sqrt()
        };
        let [plus, minus] = [1.0, -1.0].map(|sign| (sign, length(&pair.left, sign), length(&pair.right, sign)));
        let (sign, of_left, of_right) = if plus.1 * plus.2 > minus.1 * minus.2 { plus } else { minus };
        let scale = (pair.value * of_left * of_right).sqrt();
        let put = |to: &mut [f64], vector: &[f64], length: f64| {
            for (to, v) in to.chunks_mut(rank).zip(vector) {
                let part = if length > 0.0 { scale * (sign * v).max(0.0) / length } else { 0.0 };
                to[topic] = if part < SMALL_START { 0.0 } else { part };
            }
        };
        put(&mut left, &pair.left, of_left);
        put(&mut right, &pair.right, of_right);
    }
    (left, right)
}

/// Moves each number of `factor` to where the squares are least, given all others; returns how far slopes were from 0.
fn sweep(matrix: &Sparse, factor: &mut [f64], other: &[f64], rank: usize) -> f64 {
    let gram = gram(other, rank);
    let target = times(matrix, other, rank);
    let one = |(row, target): (&mut [f64], &[f64])| {
        let mut change = 0.0;
        for topic in 0..rank {
            let weights = &gram[topic * rank..][..rank];
            let slope = weights.iter().zip(row.iter()).map(|(g, w)| g * w).sum::<f64>() - target[topic];
            change += if row[topic] == 0.0 { slope.min(0.0).abs() } else { slope.abs() };
            if weights[topic] > 0.0 {
                row[topic] = (row[topic] - slope / weights[topic]).max(0.0);
            }
        }
        change
    };
    let changes: Vec<f64> = factor.par_chunks_mut(rank).zip(target.par_chunks(rank)).map(one).collect();
    changes.iter().sum()
}
