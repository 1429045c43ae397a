//! Gaussian mixture: clusters as overlapping normal distributions with their own full covariances, so that a row belongs
//! to each with a probability. Expectation and maximisation in turn from a k-means start; each round raises the
//! likelihood, and it stops as scikit-learn does. Dempster, Laird & Rubin (1977).

use std::ops::RangeInclusive;

use rayon::prelude::*;

use super::kmeans::KMeans;
use super::table::{Table, add_up};
use crate::cholesky;
use crate::error::{Error, Result};

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixture {
    /// Number of normal distributions, from 1 to the number of rows.
    pub components: usize,
    pub max_iterations: usize,
    /// Ends when the mean log likelihood of a row changes by less (nats).
    pub tolerance: f64,
    /// Added to each variance, in the squared unit of its column; from 1e-50 to 1e50.
    pub regularisation: f64,
    /// Of the k-means start.
    pub seed: u64,
}

impl Default for Mixture {
    fn default() -> Self {
        Self { components: 5, max_iterations: 100, tolerance: 1e-3, regularisation: 1e-6, seed: 0 }
    }
}

/// A fitted mixture and the rows it was fitted to.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    pub columns: usize,
    /// Share of each component; they add up to 1.
    pub weights: Vec<f64>,
    /// Row-major, one row for each component.
    pub means: Vec<f64>,
    /// For each component a row-major columns × columns matrix, regularised.
    pub covariances: Vec<f64>,
    /// Row-major, for each row of the table P(component | row).
    pub responsibilities: Vec<f64>,
    /// The most probable component of each row; the first of equals.
    pub labels: Vec<u32>,
    /// Of all rows together, in nats.
    pub log_likelihood: f64,
    /// −2 log likelihood + free parameters · ln(rows): of several numbers of components, take the one with the least.
    pub bic: f64,
    pub iterations: usize,
    /// Whether it ended by `tolerance` and not by `max_iterations`.
    pub converged: bool,
}

/// Keeps the density of any row the crate takes from leaving the range of f64.
const REGULARISATION: RangeInclusive<f64> = 1e-50..=1e50;
/// Keeps a component that lost all rows from dividing by 0; scikit-learn's.
const LEAST_ROWS: f64 = 10.0 * f64::EPSILON;

impl Mixture {
    /// `x` is row-major with `columns` numbers a row. Fails for no rows, more components than rows, and a number that is
    /// not finite, naming its row and column.
    pub fn fit(&self, x: &[f64], columns: usize) -> Result<Fit> {
        let (tolerance, regularisation) = (self.tolerance, self.regularisation);
        if !(tolerance >= 0.0 && tolerance.is_finite()) {
            return Err(Error::Setting { name: "tolerance", value: tolerance, valid: "0 or more, and finite" });
        }
        if !REGULARISATION.contains(&regularisation) {
            return Err(Error::Setting { name: "regularisation", value: regularisation, valid: "1e-50 to 1e50" });
        }
        let start = KMeans { clusters: self.components, starts: 1, seed: self.seed, ..KMeans::default() };
        let start = start.fit(x, columns)?;
        let table = Table { x, columns };
        let certain = |&label: &u32| (0..self.components as u32).map(move |c| if c == label { 1.0 } else { 0.0 });
        let responsibilities: Vec<f64> = start.labels.iter().flat_map(certain).collect();
        let mut model = Model::maximise(&table, &responsibilities, self.components, regularisation);
        let (mut before, mut iterations, mut converged) = (f64::NEG_INFINITY, 0, false);
        while iterations < self.max_iterations && !converged {
            iterations += 1;
            let expected = model.expect(&table);
            model = Model::maximise(&table, &expected.responsibilities, self.components, regularisation);
            let mean = expected.log_likelihood / table.rows() as f64;
            converged = (mean - before).abs() < tolerance;
            before = mean;
        }
        Ok(model.finish(&table, iterations, converged))
    }
}

/// Responsibilities and the log likelihood they come with.
struct Expected {
    responsibilities: Vec<f64>,
    log_likelihood: f64,
}

struct Model {
    weights: Vec<f64>,
    means: Vec<f64>,
    covariances: Vec<f64>,
    /// Cholesky factor of each covariance, lower triangle.
    factors: Vec<f64>,
}

impl Model {
    fn maximise(table: &Table, responsibilities: &[f64], components: usize, regularisation: f64) -> Self {
        let columns = table.columns;
        let pieces = || table.pieces().zip(responsibilities.par_chunks(table.piece() * components));
        let firsts = |(rows, shares): (&[f64], &[f64])| {
            let mut sums = vec![0.0; components * (1 + columns)];
            for (row, shares) in rows.chunks_exact(columns).zip(shares.chunks_exact(components)) {
                for (sums, share) in sums.chunks_exact_mut(1 + columns).zip(shares) {
                    sums[0] += share;
                    sums[1..].iter_mut().zip(row).for_each(|(sum, v)| *sum += share * v);
                }
            }
            sums
        };
        let sums = add_up(pieces().map(firsts).collect());
        let counts: Vec<f64> = sums.iter().step_by(1 + columns).map(|count| count + LEAST_ROWS).collect();
        let mean = |(sums, count): (&[f64], &f64)| sums[1..].iter().map(|sum| sum / count).collect::<Vec<f64>>();
        let means: Vec<f64> = sums.chunks_exact(1 + columns).zip(&counts).flat_map(mean).collect();
        let seconds = |(rows, shares): (&[f64], &[f64])| second_moments(rows, shares, &means, columns);
        let mut covariances = add_up(pieces().map(seconds).collect());
        for (covariance, count) in covariances.chunks_exact_mut(columns * columns).zip(&counts) {
            for i in 0..columns {
                for j in 0..=i {
                    let value = covariance[i * columns + j] / count + if i == j { regularisation } else { 0.0 };
                    covariance[i * columns + j] = value;
                    covariance[j * columns + i] = value;
                }
            }
        }
        let factors = covariances.chunks_exact(columns * columns).flat_map(|c| factor(c, columns)).collect();
        let total: f64 = counts.iter().sum();
        Self { weights: counts.iter().map(|count| count / total).collect(), means, covariances, factors }
    }

    fn expect(&self, table: &Table) -> Expected {
        let (columns, components) = (table.columns, self.weights.len());
        let constants: Vec<f64> = (0..components).map(|c| self.log_constant(c, columns)).collect();
        let one = |rows: &[f64]| {
            let mut shares = Vec::with_capacity(rows.len() / columns * components);
            let mut scaled = vec![0.0; columns];
            let mut total = 0.0;
            for row in rows.chunks_exact(columns) {
                let start = shares.len();
                for (c, constant) in constants.iter().enumerate() {
                    let mean = &self.means[c * columns..][..columns];
                    scaled.iter_mut().zip(row).zip(mean).for_each(|((s, v), m)| *s = v - m);
                    cholesky::forward(&self.factors[c * columns * columns..][..columns * columns], &mut scaled);
                    shares.push(constant - scaled.iter().map(|s| s * s).sum::<f64>() / 2.0);
                }
                total += share_out(&mut shares[start..]);
            }
            (shares, total)
        };
        let parts: Vec<(Vec<f64>, f64)> = table.pieces().map(one).collect();
        let log_likelihood = parts.iter().map(|(_, total)| total).sum();
        Expected { responsibilities: parts.into_iter().flat_map(|(shares, _)| shares).collect(), log_likelihood }
    }

    /// ln(weight · density at the mean).
    fn log_constant(&self, component: usize, columns: usize) -> f64 {
        let factor = &self.factors[component * columns * columns..][..columns * columns];
        let log_root: f64 = factor.iter().step_by(columns + 1).map(|pivot| pivot.ln()).sum();
        self.weights[component].ln() - log_root - columns as f64 / 2.0 * std::f64::consts::TAU.ln()
    }

    fn finish(self, table: &Table, iterations: usize, converged: bool) -> Fit {
        let (columns, components) = (table.columns, self.weights.len());
        let Expected { responsibilities, log_likelihood } = self.expect(table);
        let most = |shares: &[f64]| (1..components).fold(0, |best, c| if shares[c] > shares[best] { c } else { best });
        let parameters = components * (columns * (columns + 1) / 2 + columns) + components - 1;
        Fit {
            columns,
            labels: responsibilities.chunks_exact(components).map(|shares| most(shares) as u32).collect(),
            bic: parameters as f64 * (table.rows() as f64).ln() - 2.0 * log_likelihood,
            weights: self.weights,
            means: self.means,
            covariances: self.covariances,
            responsibilities,
            log_likelihood,
            iterations,
            converged,
        }
    }
}

/// Lower triangles of Σ share · (row − mean)(row − mean)ᵀ, for each component.
fn second_moments(rows: &[f64], shares: &[f64], means: &[f64], columns: usize) -> Vec<f64> {
    let components = means.len() / columns;
    let mut sums = vec![0.0; components * columns * columns];
    let mut off = vec![0.0; columns];
    for (row, shares) in rows.chunks_exact(columns).zip(shares.chunks_exact(components)) {
        let each = sums.chunks_exact_mut(columns * columns).zip(means.chunks_exact(columns)).zip(shares);
        for ((sums, mean), share) in each.filter(|(_, share)| **share > 0.0) {
            off.iter_mut().zip(row).zip(mean).for_each(|((off, v), m)| *off = v - m);
            for i in 0..columns {
                let scaled = share * off[i];
                sums[i * columns..].iter_mut().zip(&off[..=i]).for_each(|(sum, off)| *sum += scaled * off);
            }
        }
    }
    sums
}

/// Cholesky factor, found on the scale on which all variances are 1, so that a column of small numbers is not taken for
/// rounding beside one of large numbers.
fn factor(covariance: &[f64], columns: usize) -> Vec<f64> {
    let deviation = |j: usize| covariance[j * columns + j].max(f64::MIN_POSITIVE).sqrt();
    let deviations: Vec<f64> = (0..columns).map(deviation).collect();
    let scaled = |(i, v): (usize, &f64)| v / deviations[i / columns] / deviations[i % columns];
    let mut factor: Vec<f64> = covariance.iter().enumerate().map(scaled).collect();
    cholesky::factor(&mut factor, columns);
    factor.iter_mut().enumerate().for_each(|(i, v)| *v *= deviations[i / columns]);
    factor
}

/// Turns log densities into shares of their sum, and returns the logarithm of that sum.
fn share_out(logs: &mut [f64]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total = most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln();
    logs.iter_mut().for_each(|log| *log = (*log - total).exp());
    total
}
