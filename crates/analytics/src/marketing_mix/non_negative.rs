//! Least squares with weights of 0 or more, from the normal equations: Lawson & Hanson, Solving Least Squares Problems
//! (1974), chapter 23, algorithm NNLS.

use crate::logistic::solve_positive;

/// A slope this small relative to the largest is rounding.
const ROUNDING: f64 = 1e-12;

/// Minimises w·(matrix·w)/2 − right·w over w ≥ 0. `matrix` is positive definite, row-major.
pub(super) fn non_negative(matrix: &[f64], right: &[f64]) -> Vec<f64> {
    let n = right.len();
    let least = ROUNDING * right.iter().fold(0.0f64, |most, r| most.max(r.abs()));
    let mut weights = vec![0.0; n];
    let mut free: Vec<usize> = vec![];
    // Each round lowers the objective, so that no set of free weights comes twice; the bound is for rounding.
    for _ in 0..3 * n {
        let slope = |j: usize| right[j] - (0..n).map(|k| matrix[j * n + k] * weights[k]).sum::<f64>();
        let bound = (0..n).filter(|j| !free.contains(j)).map(|j| (j, slope(j)));
        let Some((steepest, slope)) = bound.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))) else { break };
        if slope <= least {
            break;
        }
        free.push(steepest);
        loop {
            let target = solve_free(matrix, right, &free);
            let blocked = free.iter().zip(&target).filter(|(_, target)| **target <= 0.0);
            // How far towards the target each weight stays at 0 or more.
            let steps = blocked.map(|(&j, t)| (j, if weights[j] > 0.0 { weights[j] / (weights[j] - t) } else { 0.0 }));
            let first = steps.min_by(|a, b| a.1.total_cmp(&b.1));
            let step = first.map_or(1.0, |(_, step)| step);
            for (&j, target) in free.iter().zip(&target) {
                weights[j] = (weights[j] + step * (target - weights[j])).max(0.0);
            }
            let Some((blocker, _)) = first else { break };
            weights[blocker] = 0.0;
            free.retain(|&j| weights[j] > 0.0);
        }
    }
    weights
}

/// The weights in `free` that minimise the same with all others at 0.
fn solve_free(matrix: &[f64], right: &[f64], free: &[usize]) -> Vec<f64> {
    let n = right.len();
    let part = free.iter().flat_map(|&i| free.iter().map(move |&j| matrix[i * n + j])).collect();
    solve_positive(part, &free.iter().map(|&j| right[j]).collect::<Vec<f64>>())
}
