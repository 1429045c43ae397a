//! The largest singular values of a sparse matrix with their vectors, by subspace iteration from random vectors of a
//! fixed seed (Halko, Martinsson & Tropp, SIAM Review 53, 2011).

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::sparse::Sparse;

/// Vectors beyond those asked for, which make these come out sooner.
const MORE: usize = 10;
const ROUNDS: usize = 10;
/// A vector that lost all but this share of its length to the ones before it lies among them.
const DEPENDENT: f64 = 1e-10;
const MAX_SWEEPS: usize = 60;

/// A singular value with its vectors over rows and columns; vectors of a value 0 are 0.
pub(super) struct Singular {
    pub(super) value: f64,
    pub(super) left: Vec<f64>,
    pub(super) right: Vec<f64>,
}

/// The `count` largest of a matrix, descending; `transposed` is the same matrix by columns.
pub(super) fn largest(matrix: &Sparse, transposed: &Sparse, count: usize) -> Vec<Singular> {
    let width = (count + MORE).min(matrix.rows()).min(matrix.columns);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut rights: Vec<f64> = (0..matrix.columns * width).map(|_| StandardNormal.sample(&mut rng)).collect();
    for _ in 0..ROUNDS {
        let mut lefts = times(matrix, &rights, width);
        orthonormalise(&mut lefts, width);
        rights = times(transposed, &lefts, width);
        orthonormalise(&mut rights, width);
    }
    let mut lefts = times(matrix, &rights, width);
    orthonormalise(&mut lefts, width);
    let small = times(transposed, &lefts, width);
    let (values, turn) = eigen(gram(&small, width), width);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]).then(a.cmp(b)));
    order.truncate(count);
    let turned = |vectors: &[f64], which: usize| -> Vec<f64> {
        vectors.chunks(width).map(|row| (0..width).map(|i| row[i] * turn[i * width + which]).sum()).collect()
    };
    let one = |which: usize| {
        let value = Some(values[which].max(0.0).sqrt()).filter(|value| *value > DEPENDENT).unwrap_or(0.0);
        let scale = if value > 0.0 { value.recip() } else { 0.0 };
        let right = turned(&small, which).into_iter().map(|v| v * scale).collect();
        Singular { value, left: turned(&lefts, which), right }
    };
    order.into_iter().map(one).collect()
}

/// `matrix` times vectors that lie side by side, `width` numbers a row.
pub(super) fn times(matrix: &Sparse, vectors: &[f64], width: usize) -> Vec<f64> {
    let mut product = vec![0.0; matrix.rows() * width];
    product.par_chunks_mut(width).enumerate().for_each(|(row, sum)| {
        for (column, value) in matrix.row(row) {
            let vector = &vectors[*column as usize * width..];
            sum.iter_mut().zip(vector).for_each(|(sum, v)| *sum += f64::from(*value) * v);
        }
    });
    product
}

/// Sums of products of each two vectors.
pub(super) fn gram(vectors: &[f64], width: usize) -> Vec<f64> {
    let mut sums = vec![0.0; width * width];
    for row in vectors.chunks(width) {
        for (sums, a) in sums.chunks_mut(width).zip(row) {
            sums.iter_mut().zip(row).for_each(|(sum, b)| *sum += a * b);
        }
    }
    sums
}

/// Gram–Schmidt, twice; a vector that lies among the ones before it becomes 0.
fn orthonormalise(vectors: &mut [f64], width: usize) {
    for j in 0..width {
        let before: f64 = vectors.chunks(width).map(|row| row[j] * row[j]).sum::<f64>().sqrt();
        for _ in 0..2 {
            for i in 0..j {
                let common: f64 = vectors.chunks(width).map(|row| row[i] * row[j]).sum();
                vectors.chunks_mut(width).for_each(|row| row[j] -= common * row[i]);
            }
        }
        let length: f64 = vectors.chunks(width).map(|row| row[j] * row[j]).sum::<f64>().sqrt();
        let scale = if length > DEPENDENT * before { length.recip() } else { 0.0 };
        vectors.chunks_mut(width).for_each(|row| row[j] *= scale);
    }
}

/// Eigenvalues of a symmetric matrix, and its eigenvectors as columns: Jacobi's rotations (Golub & Van Loan, 8.5).
fn eigen(mut matrix: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors = vec![0.0; n * n];
    (0..n).for_each(|i| vectors[i * n + i] = 1.0);
    let trace: f64 = (0..n).map(|i| matrix[i * n + i]).sum();
    for _ in 0..MAX_SWEEPS {
        let mut largest = 0.0f64;
        for (p, q) in (0..n).flat_map(|p| (p + 1..n).map(move |q| (p, q))) {
            let off = matrix[p * n + q];
            largest = largest.max(off.abs());
            if off == 0.0 {
                continue;
            }
            let theta = (matrix[q * n + q] - matrix[p * n + p]) / (2.0 * off);
            let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
            let cosine = (tangent * tangent + 1.0).sqrt().recip();
            let sine = tangent * cosine;
            let turn = |a: &mut f64, b: &mut f64| (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
            for k in 0..n {
                let (mut a, mut b) = (matrix[k * n + p], matrix[k * n + q]);
                turn(&mut a, &mut b);
                (matrix[k * n + p], matrix[k * n + q]) = (a, b);
                let (mut a, mut b) = (vectors[k * n + p], vectors[k * n + q]);
                turn(&mut a, &mut b);
                (vectors[k * n + p], vectors[k * n + q]) = (a, b);
            }
            for k in 0..n {
                let (mut a, mut b) = (matrix[p * n + k], matrix[q * n + k]);
                turn(&mut a, &mut b);
                (matrix[p * n + k], matrix[q * n + k]) = (a, b);
            }
        }
        if largest <= f64::EPSILON * trace {
            break;
        }
    }
    ((0..n).map(|i| matrix[i * n + i]).collect(), vectors)
}
