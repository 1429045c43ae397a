//! [`Softmax`]: logistic regression with any number of labels over sparse rows.

use rayon::prelude::*;

use super::lbfgs::minimise;
use crate::sparse::Sparse;

/// Parts of the gradient of the mean over rows below which the optimum is reached.
const SMALL_GRADIENT: f64 = 1e-6;

/// P(label k) is proportional to exp(intercept k + Σ weight (term, k) · x(term)).
pub(super) struct Softmax {
    labels: usize,
    /// A row for each term, then that of the intercepts.
    weights: Vec<f64>,
}

impl Softmax {
    /// Maximum penalised likelihood: minimises Σ log loss + l2/2 · Σ w², intercepts free (scikit-learn's
    /// `LogisticRegression(C=1/l2)` for three labels or more; its C for two is twice that, since it has one weight a term
    /// where this has two that differ in sign). `y` is below `labels`, and has each of them.
    pub(super) fn fit(x: &Sparse, y: &[u32], labels: usize, l2: f64) -> Self {
        let by_term = x.transposed();
        let size = x.columns * labels;
        let function = |weights: &[f64]| {
            let model = Rows { x, labels, weights };
            let mut errors = vec![0.0; y.len() * labels];
            let rows = errors.par_chunks_mut(labels).zip(y).enumerate();
            let losses: Vec<f64> = rows.map(|(row, (errors, y))| model.loss(row, *y, errors)).collect();
            let mut gradient = vec![0.0; weights.len()];
            let (terms, intercepts) = gradient.split_at_mut(size);
            terms.par_chunks_mut(labels).enumerate().for_each(|(term, gradient)| {
                gradient.iter_mut().zip(&weights[term * labels..]).for_each(|(g, w)| *g = l2 * w);
                for (row, value) in by_term.row(term) {
                    add_scaled(gradient, &errors[*row as usize * labels..], f64::from(*value));
                }
            });
            errors.chunks(labels).for_each(|errors| add_scaled(intercepts, errors, 1.0));
            let squares: f64 = weights[..size].iter().map(|w| w * w).sum();
            (losses.iter().sum::<f64>() + l2 / 2.0 * squares, gradient)
        };
        let weights = minimise(function, vec![0.0; size + labels], SMALL_GRADIENT * y.len() as f64);
        Self { labels, weights }
    }

    /// The likeliest label of a row of `x` (of equal ones the first), and its probability.
    pub(super) fn predict(&self, x: &Sparse, row: usize) -> (u32, f64) {
        let mut p = vec![0.0; self.labels];
        Rows { x, labels: self.labels, weights: &self.weights }.probabilities(row, &mut p);
        let best = (1..p.len()).fold(0, |best, label| if p[label] > p[best] { label } else { best });
        (best as u32, p[best])
    }

    /// What a term with this value adds to a label's score, beyond the mean of all labels.
    pub(super) fn speaks_for(&self, label: u32, (term, value): (u32, f32)) -> f64 {
        let weights = &self.weights[term as usize * self.labels..][..self.labels];
        f64::from(value) * (weights[label as usize] - weights.iter().sum::<f64>() / self.labels as f64)
    }
}

struct Rows<'a> {
    x: &'a Sparse,
    labels: usize,
    weights: &'a [f64],
}

impl Rows<'_> {
    fn probabilities(&self, row: usize, p: &mut [f64]) {
        p.copy_from_slice(&self.weights[self.x.columns * self.labels..]);
        for (term, value) in self.x.row(row) {
            add_scaled(p, &self.weights[*term as usize * self.labels..], f64::from(*value));
        }
        let largest = p.iter().fold(f64::NEG_INFINITY, |largest, score| score.max(largest));
        p.iter_mut().for_each(|p| *p = (*p - largest).exp());
        let sum: f64 = p.iter().sum();
        p.iter_mut().for_each(|p| *p /= sum);
    }

    /// Log loss of a row; `errors` gets its slope along each score.
    fn loss(&self, row: usize, y: u32, errors: &mut [f64]) -> f64 {
        self.probabilities(row, errors);
        let loss = -errors[y as usize].max(f64::MIN_POSITIVE).ln();
        errors[y as usize] -= 1.0;
        loss
    }
}

fn add_scaled(to: &mut [f64], from: &[f64], scale: f64) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += scale * from);
}
