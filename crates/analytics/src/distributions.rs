//! Tails and quantiles of the normal, Student and chi-square distributions. statrs computes them where its series
//! converge (its erfc is good to 1e-10); its incomplete beta function stops after 140 terms, so Student's t with many
//! degrees of freedom is brought to the normal by Hill's expansion (G. W. Hill, Algorithm 395, Communications of the ACM
//! 13, 1970).

use std::f64::consts::{PI, SQRT_2};

use statrs::function::{beta, erf, gamma};

/// Degrees of freedom above which Hill's expansion is exact to 1e-12.
const MANY_DEGREES: f64 = 200.0;
const MAX_STEPS: usize = 200;

pub(crate) fn normal_density(z: f64) -> f64 {
    (-z * z / 2.0).exp() / (2.0 * PI).sqrt()
}

/// P(Z ≤ z).
pub(crate) fn normal_cdf(z: f64) -> f64 {
    erf::erfc(-z / SQRT_2) / 2.0
}

/// The z with P(Z ≤ z) = p; `p` is between 0 and 1.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    -SQRT_2 * erf::erfc_inv(2.0 * p)
}

/// P(|Z| ≥ |z|).
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    erf::erfc(z.abs() / SQRT_2)
}

/// P(|T| ≥ |t|) with `degrees` of freedom, 1 or more.
pub(crate) fn student_two_sided(t: f64, degrees: f64) -> f64 {
    if degrees > MANY_DEGREES {
        return normal_two_sided(hill(t, degrees));
    }
    if !t.is_finite() {
        return 0.0;
    }
    beta::beta_reg(degrees / 2.0, 0.5, degrees / (degrees + t * t))
}

/// The t with P(|T| ≥ t) = p; `p` is between 0 and 1. Newton's method from the normal's, which is nearer to 0: the tail
/// is convex, so that every step falls short and none beyond.
pub(crate) fn student_critical(p: f64, degrees: f64) -> f64 {
    let constant = if degrees > MANY_DEGREES {
        // Stirling's series: the difference of the two logarithms would lose all digits of its terms.
        -0.25 / degrees - (2.0 * PI).ln() / 2.0
    } else {
        gamma::ln_gamma((degrees + 1.0) / 2.0) - gamma::ln_gamma(degrees / 2.0) - (degrees * PI).ln() / 2.0
    };
    let density = |t: f64| (constant - (degrees + 1.0) / 2.0 * (t * t / degrees).ln_1p()).exp();
    let mut t = -normal_quantile(p / 2.0);
    for _ in 0..MAX_STEPS {
        let step = (student_two_sided(t, degrees) - p) / (2.0 * density(t));
        t += step;
        if step.abs() <= 2.0 * f64::EPSILON * t.abs() {
            break;
        }
    }
    t
}

/// P(X ≥ x) of the chi-square distribution; `x` is not negative, `degrees` 1 or more.
pub(crate) fn chi_square_tail(x: f64, degrees: f64) -> f64 {
    if x == 0.0 { 1.0 } else { gamma::gamma_ur(degrees / 2.0, x / 2.0) }
}

/// The normal deviate with the tail of `t`.
fn hill(t: f64, degrees: f64) -> f64 {
    let a = degrees - 0.5;
    let b = 48.0 * a * a;
    let square = a * (t * t / degrees).ln_1p();
    let z = square.sqrt();
    let (first, second) = (z * (square + 3.0) / b, 4.0 * z.powi(7) + 33.0 * z.powi(5) + 240.0 * z.powi(3) + 855.0 * z);
    z + first - second / (10.0 * b * (b + 0.8 * square * square + 100.0))
}
