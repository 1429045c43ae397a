//! Integrals by Gauss and Legendre's rule.

/// How many points a function is asked at: a polynomial of twice as many terms is integrated exactly.
const POINTS: usize = 8;

/// Places between `from` and `to`, ascending, and their weights, which sum to the distance.
pub(super) fn nodes(from: f64, to: f64) -> impl Iterator<Item = (f64, f64)> {
    unit().into_iter().map(move |(x, weight)| (from + (to - from) * x, (to - from) * weight))
}

/// Between 0 and 1: the roots of the Legendre polynomial by Newton's method (Press et al., "Numerical Recipes", section 4.6).
fn unit() -> [(f64, f64); POINTS] {
    const STEPS: usize = 20;
    std::array::from_fn(|i| {
        let mut x = -(std::f64::consts::PI * (i as f64 + 0.75) / (POINTS as f64 + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..STEPS {
            let value;
            (value, slope) = legendre(x);
            x -= value / slope;
        }
        ((1.0 + x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope))
    })
}

/// The polynomial of degree [`POINTS`] and its derivative.
fn legendre(x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for degree in 2..=POINTS {
        let n = degree as f64;
        (before, value) = (value, ((2.0 * n - 1.0) * x * value - (n - 1.0) * before) / n);
    }
    (value, POINTS as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_integrated_exactly() {
        for (from, to) in [(0.0, 1.0), (0.25f64, 0.5f64)] {
            for power in 1..=2 * POINTS as i32 {
                let sum: f64 = nodes(from, to).map(|(x, weight)| weight * x.powi(power - 1)).sum();
                let exact = (to.powi(power) - from.powi(power)) / f64::from(power);
                assert!((sum - exact).abs() < 1e-14, "x^{power} from {from} to {to}: {sum}");
            }
        }
    }
}
