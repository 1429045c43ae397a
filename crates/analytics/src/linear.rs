//! Ridge regression: what a number is expected to be, linear in the columns. Columns are standardised inside, as in
//! `logistic`, so that one ridge fits all units; coefficients come back in the caller's units. Solved at once from the
//! normal equations: the ridge keeps them positive definite whatever the columns.

use rayon::prelude::*;

use crate::error::{Error, Result, all_finite, all_in_bounds, not_empty};
use crate::logistic::{CHUNK, Scale, add_up, check_rows, solve_positive};

/// A fitted model: intercept + Σ coefficient · column.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    pub intercept: f64,
    /// Per unit of each column; 0 for a constant column.
    pub coefficients: Vec<f64>,
}

impl Linear {
    /// Minimises Σ (y − prediction)² + l2 · Σ w², w the coefficients of the standardised columns (scikit-learn's Ridge with
    /// alpha = l2). `x` is row-major with `columns` numbers a row; `l2` is above 0. Fails for no rows and for a number that
    /// is not between −1e100 and 1e100, naming its row, and for columns that vary so little that their coefficients are not finite.
    pub fn fit(x: &[f64], columns: usize, y: &[f64], l2: f64) -> Result<Self> {
        check_rows(x, columns, y.len())?;
        not_empty("linear regression", y.len())?;
        all_in_bounds("y", y)?;
        if !(l2 > 0.0 && l2.is_finite()) {
            return Err(Error::Setting { name: "l2", value: l2, valid: "above 0 and finite" });
        }
        let scale = Scale::of(x, columns);
        let mean = add_up(y.par_chunks(CHUNK).map(|y| vec![y.iter().sum()]).collect(), 1)[0] / y.len() as f64;
        let (right, matrix) = normal_equations(x, columns, y, mean, &scale, l2);
        let w = solve_positive(matrix, &right);
        let coefficients: Vec<f64> = w.iter().zip(&scale.inverse).map(|(w, inverse)| w * inverse).collect();
        let intercept = mean - coefficients.iter().zip(&scale.mean).map(|(c, m)| c * m).sum::<f64>();
        if !coefficients.iter().chain([&intercept]).all(|c| c.is_finite()) {
            return Err(Error::Undefined {
                metric: "linear regression",
                why: "a column varies too little for a finite coefficient",
            });
        }
        Ok(Self { intercept, coefficients })
    }

    /// Prediction of each row of `x`, row-major with as many columns as in the fit.
    pub fn predict(&self, x: &[f64]) -> Result<Vec<f64>> {
        let columns = self.coefficients.len();
        check_rows(x, columns, x.len() / columns.max(1))?;
        let one = |row: &[f64]| self.intercept + row.iter().zip(&self.coefficients).map(|(x, c)| x * c).sum::<f64>();
        let predicted: Vec<f64> = x.par_chunks(columns).map(one).collect();
        all_finite("prediction", &predicted)?;
        Ok(predicted)
    }
}

/// Right side Zᵀ(y − mean), and ZᵀZ + l2 (row-major, its lower triangle), Z the standardised columns.
fn normal_equations(x: &[f64], columns: usize, y: &[f64], mean: f64, scale: &Scale, l2: f64) -> (Vec<f64>, Vec<f64>) {
    let part = |(rows, y): (&[f64], &[f64])| {
        let mut sums = vec![0.0; columns + columns * columns];
        let (right, matrix) = sums.split_at_mut(columns);
        let mut z = vec![0.0; columns];
        for (row, y) in rows.chunks_exact(columns).zip(y) {
            (0..columns).for_each(|j| z[j] = (row[j] - scale.mean[j]) * scale.inverse[j]);
            for i in 0..columns {
                right[i] += (y - mean) * z[i];
                let zi = z[i];
                matrix[i * columns..].iter_mut().zip(&z[..=i]).for_each(|(m, zj)| *m += zi * zj);
            }
        }
        sums
    };
    let chunks = x.par_chunks(CHUNK * columns).zip(y.par_chunks(CHUNK));
    let mut right = add_up(chunks.map(part).collect(), columns + columns * columns);
    let mut matrix = right.split_off(columns);
    (0..columns).for_each(|i| matrix[i * columns + i] += l2);
    (right, matrix)
}
