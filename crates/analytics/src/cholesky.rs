//! Cholesky's decomposition of small symmetric matrices that are positive definite but for rounding.

/// Replaces the lower triangle of a row-major n × n matrix by L with L·Lᵀ = matrix; what lies above stays. A pivot lost to
/// rounding (a column that others determine) is replaced by a share of the largest.
pub(crate) fn factor(matrix: &mut [f64], n: usize) {
    let largest = (0..n).fold(0.0f64, |most, i| most.max(matrix[i * n + i]));
    let smallest = (largest * f64::EPSILON * n as f64).max(f64::MIN_POSITIVE);
    for i in 0..n {
        for j in 0..=i {
            let product: f64 = (0..j).map(|k| matrix[i * n + k] * matrix[j * n + k]).sum();
            let rest = matrix[i * n + j] - product;
            matrix[i * n + j] = if i == j { rest.max(smallest).sqrt() } else { rest / matrix[j * n + j] };
        }
    }
}

/// Solves L · y = right in place.
pub(crate) fn forward(factor: &[f64], right: &mut [f64]) {
    let n = right.len();
    for i in 0..n {
        let known: f64 = (0..i).map(|k| factor[i * n + k] * right[k]).sum();
        right[i] = (right[i] - known) / factor[i * n + i];
    }
}
