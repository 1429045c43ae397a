//! LinUCB: a ridge regression for each arm, and optimism where its context is new. The inverse is kept and changed by
//! Sherman and Morrison's formula, so that a row costs columns² and not columns³.

use super::{Learner, best};

/// A ridge regression without intercept that grows by rows.
#[derive(Debug, Clone)]
pub(super) struct Ridge {
    /// (l2 I + XᵀX)⁻¹, row-major.
    inverse: Vec<f64>,
    /// Xᵀy.
    products: Vec<f64>,
}

impl Ridge {
    pub(super) fn new(columns: usize, l2: f64) -> Self {
        let mut inverse = vec![0.0; columns * columns];
        (0..columns).for_each(|i| inverse[i * columns + i] = 1.0 / l2);
        Self { inverse, products: vec![0.0; columns] }
    }

    pub(super) fn add(&mut self, x: &[f64], y: f64) {
        let columns = x.len();
        let turned = self.turned(x);
        let spread = 1.0 + dot(x, &turned);
        for i in 0..columns {
            let share = turned[i] / spread;
            let row = &mut self.inverse[i * columns..(i + 1) * columns];
            row.iter_mut().zip(&turned).for_each(|(a, b)| *a -= share * b);
            self.products[i] += y * x[i];
        }
    }

    pub(super) fn predict(&self, x: &[f64]) -> f64 {
        dot(&self.turned(x), &self.products)
    }

    /// x A⁻¹ x.
    fn spread(&self, x: &[f64]) -> f64 {
        dot(&self.turned(x), x).max(0.0)
    }

    /// A⁻¹ x.
    fn turned(&self, x: &[f64]) -> Vec<f64> {
        self.inverse.chunks_exact(x.len()).map(|row| dot(row, x)).collect()
    }
}

pub(super) struct LinUcb {
    alpha: f64,
    arms: Vec<Ridge>,
}

impl LinUcb {
    pub(super) fn new(arms: usize, columns: usize, alpha: f64, l2: f64) -> Self {
        Self { alpha, arms: vec![Ridge::new(columns, l2); arms] }
    }
}

impl Learner for LinUcb {
    fn choose(&mut self, context: &[f64]) -> usize {
        best(&self.ratings(context))
    }

    fn learn(&mut self, context: &[f64], arm: usize, reward: f64) {
        self.arms[arm].add(context, reward);
    }

    fn ratings(&self, context: &[f64]) -> Vec<f64> {
        self.arms.iter().map(|arm| arm.predict(context) + self.alpha * arm.spread(context).sqrt()).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
