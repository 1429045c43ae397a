//! Integrals of smooth functions by Gauss-Legendre nodes on [0, 1].

use std::f64::consts::PI;
use std::sync::LazyLock;

const ORDER: usize = 16;

/// Node and weight pairs, exact for polynomials of degree 31.
pub(crate) static NODES: LazyLock<[(f64, f64); ORDER]> = LazyLock::new(|| std::array::from_fn(node));

/// Integral over [low, high] by one set of nodes: for a range in which the function bends little.
pub(crate) fn integrate(low: f64, high: f64, function: impl Fn(f64) -> f64) -> f64 {
    NODES.iter().map(|(node, weight)| weight * function(low + node * (high - low))).sum::<f64>() * (high - low)
}

/// The i-th root of the Legendre polynomial by Newton's method from Tricomi's approximation, and its weight.
fn node(i: usize) -> (f64, f64) {
    let mut root = (PI * (i as f64 + 0.75) / (ORDER as f64 + 0.5)).cos();
    let mut slope = 1.0;
    // Quadratic convergence from 1e-3: four steps reach the last bit, the others cost nothing.
    for _ in 0..8 {
        let (mut previous, mut value) = (1.0, root);
        for k in 1..ORDER {
            let k = k as f64;
            (previous, value) = (value, ((2.0 * k + 1.0) * root * value - k * previous) / (k + 1.0));
        }
        slope = ORDER as f64 * (root * value - previous) / (root * root - 1.0);
        root -= value / slope;
    }
    ((1.0 - root) / 2.0, 1.0 / ((1.0 - root * root) * slope * slope))
}
