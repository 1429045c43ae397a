//! Minimum of a smooth function of a few parameters inside a soft box: BFGS with a backtracking line search. The box
//! is a quadratic wall beyond its bounds, so that data without a finite optimum (nobody ever leaves, everybody buys at
//! the same rate) end at a large parameter instead of overflowing.

const MAX_STEPS: usize = 300;
const MAX_HALVINGS: usize = 40;
/// Largest change of a (log) parameter in one step.
const MAX_MOVE: f64 = 1.5;
/// Share of the promised decrease a step must bring (Armijo).
const SUFFICIENT: f64 = 1e-4;
const SMALL_GRADIENT: f64 = 1e-9;
/// A promised decrease, relative to the value, that is no longer worth an evaluation.
const SMALL_DECREASE: f64 = 1e-14;

pub(super) struct Minimum<const N: usize> {
    pub(super) at: [f64; N],
    value: f64,
    /// Approximate inverse of the Hessian.
    inverse: [[f64; N]; N],
}

/// The minimum of `whole`, a mean over all rows, found from the best minimum of `part`, the same mean over some of them:
/// the many steps from several starts are cheap, and the few over everything begin close by and with the right
/// curvature. Both give value and gradient; they may be infinite or NaN away from the starts, which counts as "too far".
pub(super) fn minimise<const N: usize>(
    whole: impl Fn(&[f64; N]) -> (f64, [f64; N]),
    part: impl Fn(&[f64; N]) -> (f64, [f64; N]),
    bounds: &[(f64, f64); N],
    starts: [[f64; N]; 3],
) -> [f64; N] {
    let begin = |at| Minimum { at, value: f64::INFINITY, inverse: identity() };
    let part = |at: &[f64; N]| walled(part(at), at, bounds);
    let [first, second, third] = starts.map(|start| descend(&part, begin(start), true));
    let best = [second, third].into_iter().fold(first, |best, m| if m.value < best.value { m } else { best });
    descend(&|at: &[f64; N]| walled(whole(at), at, bounds), best, false).at
}

/// Adds the wall to value and gradient.
fn walled<const N: usize>(found: (f64, [f64; N]), at: &[f64; N], bounds: &[(f64, f64); N]) -> (f64, [f64; N]) {
    let (mut value, mut gradient) = found;
    for i in 0..N {
        let outside = at[i] - at[i].clamp(bounds[i].0, bounds[i].1);
        value += outside * outside;
        gradient[i] += 2.0 * outside;
    }
    (value, gradient)
}

/// Goes down from `start`; `is_fresh` says that its curvature is unknown.
fn descend<const N: usize>(
    function: &impl Fn(&[f64; N]) -> (f64, [f64; N]),
    start: Minimum<N>,
    mut is_fresh: bool,
) -> Minimum<N> {
    let Minimum { mut at, mut inverse, .. } = start;
    let (mut value, mut gradient) = function(&at);
    for _ in 0..MAX_STEPS {
        let mut direction = negate(&times(&inverse, &gradient));
        if dot(&direction, &gradient) >= 0.0 {
            (inverse, is_fresh) = (identity(), true);
            direction = negate(&gradient);
        }
        let promised = -dot(&direction, &gradient);
        let is_small = !is_fresh && promised < SMALL_DECREASE * value.abs().max(1.0);
        if is_small || gradient.iter().all(|g| g.abs() < SMALL_GRADIENT) {
            break;
        }
        let Some((next, next_value, next_gradient)) = step(function, &at, value, &gradient, &direction) else {
            // No decrease along the direction: once more from steepest descent, then it is as low as rounding allows.
            if is_fresh {
                break;
            }
            (inverse, is_fresh) = (identity(), true);
            continue;
        };
        let moved: [f64; N] = std::array::from_fn(|i| next[i] - at[i]);
        let bent: [f64; N] = std::array::from_fn(|i| next_gradient[i] - gradient[i]);
        (at, value, gradient) = (next, next_value, next_gradient);
        update(&mut inverse, &moved, &bent, is_fresh);
        is_fresh = false;
    }
    Minimum { at, value: if value.is_finite() { value } else { f64::INFINITY }, inverse }
}

type Point<const N: usize> = ([f64; N], f64, [f64; N]);

/// Backtracks along `direction` to a sufficient decrease.
fn step<const N: usize>(
    function: &impl Fn(&[f64; N]) -> (f64, [f64; N]),
    at: &[f64; N],
    value: f64,
    gradient: &[f64; N],
    direction: &[f64; N],
) -> Option<Point<N>> {
    let slope = dot(direction, gradient);
    let longest = direction.iter().fold(0.0f64, |most, d| most.max(d.abs()));
    let mut length = (MAX_MOVE / longest).min(1.0);
    for _ in 0..MAX_HALVINGS {
        let next = std::array::from_fn(|i| at[i] + length * direction[i]);
        let (next_value, next_gradient) = function(&next);
        let finite = next_value.is_finite() && next_gradient.iter().all(|g| g.is_finite());
        if finite && next_value <= value + SUFFICIENT * length * slope && next_value < value {
            return Some((next, next_value, next_gradient));
        }
        // The minimum of the parabola through both values and the slope, kept within a tenth and a half.
        let curve = next_value - value - length * slope;
        let best = if finite && curve > 0.0 { -slope * length * length / (2.0 * curve) } else { 0.0 };
        length = best.clamp(0.1 * length, 0.5 * length);
    }
    None
}

/// The BFGS update of the inverse Hessian (Nocedal & Wright, Numerical Optimization, 6.17 and 6.20).
fn update<const N: usize>(inverse: &mut [[f64; N]; N], moved: &[f64; N], bent: &[f64; N], is_fresh: bool) {
    let curvature = dot(moved, bent);
    if curvature <= 1e-12 * dot(moved, moved).sqrt() * dot(bent, bent).sqrt() {
        return;
    }
    if is_fresh {
        let scale = curvature / dot(bent, bent);
        (0..N).for_each(|i| inverse[i][i] = scale);
    }
    let turned = times(inverse, bent);
    let factor = (1.0 + dot(bent, &turned) / curvature) / curvature;
    for i in 0..N {
        for j in 0..N {
            inverse[i][j] += factor * moved[i] * moved[j] - (turned[i] * moved[j] + moved[i] * turned[j]) / curvature;
        }
    }
}

fn identity<const N: usize>() -> [[f64; N]; N] {
    std::array::from_fn(|i| std::array::from_fn(|j| if i == j { 1.0 } else { 0.0 }))
}

fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn times<const N: usize>(matrix: &[[f64; N]; N], vector: &[f64; N]) -> [f64; N] {
    std::array::from_fn(|i| dot(&matrix[i], vector))
}

fn negate<const N: usize>(vector: &[f64; N]) -> [f64; N] {
    vector.map(|v| -v)
}
