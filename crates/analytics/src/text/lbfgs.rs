//! Minimum of a smooth convex function of many parameters, of which only value and gradient are known: L-BFGS with a
//! backtracking line search (Nocedal & Wright, Numerical Optimization, algorithm 7.4).

use std::collections::VecDeque;

const MAX_STEPS: usize = 1000;
const MAX_HALVINGS: usize = 40;
/// Steps remembered.
const MEMORY: usize = 8;
/// Share of the promised decrease a step must bring (Armijo).
const SUFFICIENT: f64 = 1e-4;

struct Step {
    moved: Vec<f64>,
    bent: Vec<f64>,
    /// 1 / (moved · bent).
    scale: f64,
}

/// Where no part of the gradient of `function` (value, gradient) is above `small` any more, or its value is as low as its
/// rounding allows. Goes down from `at`.
pub(super) fn minimise(function: impl Fn(&[f64]) -> (f64, Vec<f64>), mut at: Vec<f64>, small: f64) -> Vec<f64> {
    let (mut value, mut gradient) = function(&at);
    let mut steps: VecDeque<Step> = VecDeque::new();
    for _ in 0..MAX_STEPS {
        if gradient.iter().all(|g| g.abs() <= small) {
            break;
        }
        let direction = direction(&gradient, &steps);
        let slope = dot(&direction, &gradient);
        let mut length = if steps.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt() } else { 1.0 };
        let found = (0..MAX_HALVINGS).find_map(|_| {
            let next: Vec<f64> = at.iter().zip(&direction).map(|(at, d)| at + length * d).collect();
            let (next_value, next_gradient) = function(&next);
            let is_enough = next_value < value && next_value <= value + SUFFICIENT * length * slope;
            length /= 2.0;
            is_enough.then_some((next, next_value, next_gradient))
        });
        let Some((next, next_value, next_gradient)) = found else {
            if steps.is_empty() {
                break;
            }
            steps.clear();
            continue;
        };
        let moved: Vec<f64> = next.iter().zip(&at).map(|(next, at)| next - at).collect();
        let bent: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(next, g)| next - g).collect();
        (at, value, gradient) = (next, next_value, next_gradient);
        let curvature = dot(&moved, &bent);
        if curvature > 0.0 && curvature.recip().is_finite() {
            steps.push_back(Step { scale: curvature.recip(), moved, bent });
            if steps.len() > MEMORY {
                steps.pop_front();
            }
        }
    }
    at
}

/// Minus the approximate inverse Hessian times the gradient.
fn direction(gradient: &[f64], steps: &VecDeque<Step>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(steps.len());
    for step in steps.iter().rev() {
        let share = step.scale * dot(&step.moved, &direction);
        direction.iter_mut().zip(&step.bent).for_each(|(d, bent)| *d -= share * bent);
        shares.push(share);
    }
    if let Some(last) = steps.back() {
        let scale = (last.scale * dot(&last.bent, &last.bent)).recip();
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for (step, share) in steps.iter().zip(shares.into_iter().rev()) {
        let change = share - step.scale * dot(&step.bent, &direction);
        direction.iter_mut().zip(&step.moved).for_each(|(d, moved)| *d += change * moved);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
