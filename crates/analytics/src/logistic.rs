//! Logistic regression: the baseline every churn model has to beat. Columns are standardised inside, so that one ridge
//! fits all units; coefficients come back in the caller's units. Newton's method (iteratively reweighted least squares)
//! with step halving: the penalised likelihood is concave, so it always ends at the one optimum.

use rayon::prelude::*;

use crate::cholesky;
use crate::error::{Error, IN_BOUNDS, Result, both_classes, is_in_bounds};

/// A fitted model: P(true) = 1 / (1 + exp(−(intercept + Σ coefficient · column))).
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic {
    pub intercept: f64,
    /// Per unit of each column; 0 for a constant column.
    pub coefficients: Vec<f64>,
}

const MAX_STEPS: usize = 100;
const MAX_HALVINGS: usize = 30;
/// Newton's decrement (nats per row) below which the optimum is reached.
const SMALL_DECREMENT: f64 = 1e-15;
/// Rows summed by one thread at a time; fixed, because it fixes the order of addition.
pub(crate) const CHUNK: usize = 2048;
/// A deviation this small relative to the mean is rounding, not information.
const CONSTANT: f64 = 1e-12;

impl Logistic {
    /// Maximum penalised likelihood: minimises Σ log loss + l2/2 · Σ w², w the coefficients of the standardised columns
    /// (scikit-learn's C is 1/l2). `x` is row-major with `columns` numbers a row. `l2` is above 0, so that data which a
    /// line separates have an optimum. Fails for one class and for a number that is not finite, naming its row.
    pub fn fit(x: &[f64], columns: usize, y: &[bool], l2: f64) -> Result<Self> {
        check_rows(x, columns, y.len())?;
        both_classes("logistic regression", y)?;
        if !(l2 > 0.0 && l2.is_finite()) {
            return Err(Error::Setting { name: "l2", value: l2, valid: "above 0 and finite" });
        }
        let problem = Problem { x, columns, y, l2, scale: Scale::of(x, columns) };
        let w = problem.solve();
        let coefficients: Vec<f64> = (0..columns).map(|j| w[j + 1] * problem.scale.inverse[j]).collect();
        let shift: f64 = coefficients.iter().zip(&problem.scale.mean).map(|(c, m)| c * m).sum();
        Ok(Self { intercept: w[0] - shift, coefficients })
    }

    /// P(true) of each row of `x`, row-major with as many columns as in the fit.
    pub fn predict(&self, x: &[f64]) -> Result<Vec<f64>> {
        let columns = self.coefficients.len();
        check_rows(x, columns, x.len() / columns.max(1))?;
        let one = |row: &[f64]| {
            let sum: f64 = row.iter().zip(&self.coefficients).map(|(x, c)| x * c).sum();
            sigmoid(self.intercept + sum)
        };
        Ok(x.par_chunks(columns).map(one).collect())
    }
}

pub(crate) fn check_rows(x: &[f64], columns: usize, rows: usize) -> Result<()> {
    if columns == 0 {
        return Err(Error::Empty { what: "columns" });
    }
    crate::error::same_length("x", rows * columns, x.len())?;
    match x.iter().position(|v| !is_in_bounds(v)) {
        Some(i) => Err(Error::Value { what: "x", row: i / columns, value: x[i], valid: IN_BOUNDS }),
        None => Ok(()),
    }
}

/// Mean and inverse deviation of each column; the inverse is 0 for a constant column, which takes it out.
pub(crate) struct Scale {
    pub(crate) mean: Vec<f64>,
    pub(crate) inverse: Vec<f64>,
}

impl Scale {
    pub(crate) fn of(x: &[f64], columns: usize) -> Self {
        let rows = (x.len() / columns) as f64;
        let sum_rows = |value: &(dyn Fn(usize, f64) -> f64 + Sync)| {
            let part = |rows: &[f64]| {
                let mut sum = vec![0.0; columns];
                for row in rows.chunks_exact(columns) {
                    (0..columns).for_each(|j| sum[j] += value(j, row[j]));
                }
                sum
            };
            add_up(x.par_chunks(CHUNK * columns).map(part).collect(), columns)
        };
        let mean: Vec<f64> = sum_rows(&|_, v| v / rows);
        let variance = sum_rows(&|j, v| (v - mean[j]).powi(2) / rows);
        let inverse = |(variance, mean): (&f64, &f64)| {
            let deviation = variance.sqrt();
            if deviation > CONSTANT * mean.abs() && (1.0 / deviation).is_finite() { 1.0 / deviation } else { 0.0 }
        };
        Self { inverse: variance.iter().zip(&mean).map(inverse).collect(), mean }
    }
}

struct Problem<'a> {
    x: &'a [f64],
    columns: usize,
    y: &'a [bool],
    l2: f64,
    scale: Scale,
}

impl Problem<'_> {
    /// Weights of the standardised columns, the intercept first.
    fn solve(&self) -> Vec<f64> {
        let size = self.columns + 1;
        let positives = self.y.iter().filter(|&&y| y).count() as f64;
        let mut w = vec![0.0; size];
        w[0] = (positives / (self.y.len() as f64 - positives)).ln();
        let mut loss = self.loss(&w);
        for _ in 0..MAX_STEPS {
            let (gradient, hessian) = self.derivatives(&w);
            let step = solve_positive(hessian, &gradient);
            let decrement: f64 = step.iter().zip(&gradient).map(|(s, g)| s * g).sum();
            if decrement <= SMALL_DECREMENT * self.y.len() as f64 {
                break;
            }
            let mut length = 1.0;
            let improved = (0..MAX_HALVINGS).find_map(|_| {
                let next: Vec<f64> = w.iter().zip(&step).map(|(w, s)| w - length * s).collect();
                let next_loss = self.loss(&next);
                length /= 2.0;
                (next_loss < loss).then_some((next, next_loss))
            });
            // No decrease at any length: the loss is as low as its rounding allows.
            let Some(next) = improved else { break };
            (w, loss) = next;
        }
        w
    }

    fn loss(&self, w: &[f64]) -> f64 {
        let part = |(rows, labels): (&[f64], &[bool])| {
            let mut sum = 0.0;
            for (row, &y) in rows.chunks_exact(self.columns).zip(labels) {
                let z = self.linear(row, w);
                sum += z.max(0.0) + (-z.abs()).exp().ln_1p() - if y { z } else { 0.0 };
            }
            sum
        };
        let parts: Vec<f64> = self.chunks().map(part).collect();
        parts.iter().sum::<f64>() + self.l2 / 2.0 * w[1..].iter().map(|w| w * w).sum::<f64>()
    }

    /// Gradient and Hessian (row-major) of the loss.
    fn derivatives(&self, w: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let size = self.columns + 1;
        let part = |(rows, labels): (&[f64], &[bool])| {
            let mut sums = vec![0.0; size + size * size];
            let (gradient, hessian) = sums.split_at_mut(size);
            let mut z = vec![1.0; size];
            for (row, &y) in rows.chunks_exact(self.columns).zip(labels) {
                let p = sigmoid(self.linear(row, w));
                (0..self.columns).for_each(|j| z[j + 1] = self.standardised(row, j));
                let (error, weight) = (p - f64::from(u8::from(y)), p * (1.0 - p));
                for i in 0..size {
                    gradient[i] += error * z[i];
                    let scaled = weight * z[i];
                    hessian[i * size..].iter_mut().zip(&z[..=i]).for_each(|(h, z)| *h += scaled * z);
                }
            }
            sums
        };
        let mut sums = add_up(self.chunks().map(part).collect(), size + size * size);
        let mut hessian = sums.split_off(size);
        for i in 1..size {
            sums[i] += self.l2 * w[i];
            hessian[i * size + i] += self.l2;
            for j in 0..i {
                hessian[j * size + i] = hessian[i * size + j];
            }
        }
        (sums, hessian)
    }

    fn chunks(&self) -> impl IndexedParallelIterator<Item = (&[f64], &[bool])> {
        self.x.par_chunks(CHUNK * self.columns).zip(self.y.par_chunks(CHUNK))
    }

    fn standardised(&self, row: &[f64], j: usize) -> f64 {
        (row[j] - self.scale.mean[j]) * self.scale.inverse[j]
    }

    fn linear(&self, row: &[f64], w: &[f64]) -> f64 {
        (0..self.columns).fold(w[0], |sum, j| sum + w[j + 1] * self.standardised(row, j))
    }
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

pub(crate) fn add_up(parts: Vec<Vec<f64>>, size: usize) -> Vec<f64> {
    parts.into_iter().fold(vec![0.0; size], |mut sum, part| {
        sum.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
        sum
    })
}

/// Solves `matrix · step = right` by Cholesky for a positive definite row-major matrix. A pivot lost to rounding (an
/// intercept whose rows all have p near 0 or 1) is replaced by a larger one, which only shortens the step.
pub(crate) fn solve_positive(mut matrix: Vec<f64>, right: &[f64]) -> Vec<f64> {
    let n = right.len();
    cholesky::factor(&mut matrix, n);
    let mut step = right.to_vec();
    cholesky::forward(&matrix, &mut step);
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| matrix[k * n + i] * step[k]).sum();
        step[i] = (step[i] - known) / matrix[i * n + i];
    }
    step
}
