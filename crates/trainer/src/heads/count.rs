//! How often something happens in the horizon, as a negative binomial.
//!
//! Mean and shape are each customer's own, and with them the share of zeros: any that is not below the Poisson's of the
//! same mean. So those who hardly ever return need no zero inflation beside it, which mean and zeros could not tell from a
//! small shape.

use tch::{Kind, Tensor};

use crate::losses::Loss;
use crate::scaling::{Moments, Scaling};

/// Where the output starts: at the training set's mean, and at the shape that gives its variance.
pub(crate) fn start(scaling: &Scaling) -> Vec<f32> {
    start_at(scaling.target)
}

fn start_at(target: Moments) -> Vec<f32> {
    /// Counts that vary no more than the Poisson's start near it.
    const LARGEST_SHAPE: f32 = 100.0;
    const SMALLEST: f32 = 1e-3;
    let mean = target.mean.max(SMALLEST);
    let excess = target.deviation.powi(2) - mean;
    let shape = if excess > 0.0 { mean * mean / excess } else { LARGEST_SHAPE };
    vec![mean.ln(), shape.clamp(SMALLEST, LARGEST_SHAPE).ln()]
}

/// `raw` `[B, 2]`, `counts` `[B]`.
pub(crate) fn loss(raw: &Tensor, counts: &Tensor) -> Loss {
    Loss::of(NegativeBinomial::new(raw).loss(counts), counts.size()[0])
}

/// Expected count and probability of none, `[B]` each; the count is kept at the largest of the training set.
pub(crate) fn forecast(raw: &Tensor, scaling: &Scaling) -> [Tensor; 2] {
    [log_expected(raw, scaling).exp(), NegativeBinomial::new(raw).log_p_zero().exp()]
}

/// The natural logarithm of the expected count, `[B]`.
pub(crate) fn log_expected(raw: &Tensor, scaling: &Scaling) -> Tensor {
    NegativeBinomial::new(raw).log_mean.clamp_max(f64::from(scaling.log_largest))
}

/// A negative binomial count, per example: P(y) = Γ(y + r) / (Γ(r) y!) · (r / (r + μ))^r · (μ / (r + μ))^y with the mean
/// μ and the shape r, whose variance is μ + μ² / r (NB2 of Cameron and Trivedi, "Regression analysis of count data").
struct NegativeBinomial {
    /// ln μ, `[B]`. In doubles, for ln Γ(y + r) - ln Γ(r) of a large r has no digits left in floats.
    log_mean: Tensor,
    /// ln r, `[B]`.
    log_shape: Tensor,
}

impl NegativeBinomial {
    /// `raw` `[B, 2]`: ln μ, ln r.
    fn new(raw: &Tensor) -> Self {
        // Beyond e^±20 the count is the Poisson's, or all but surely 0, to the last digit.
        const LOG_SHAPES: f64 = 20.0;
        let raw = raw.to_kind(Kind::Double);
        Self { log_mean: raw.select(1, 0), log_shape: raw.select(1, 1).clamp(-LOG_SHAPES, LOG_SHAPES) }
    }

    /// Mean negative log-likelihood of `counts` `[B]`.
    fn loss(&self, counts: &Tensor) -> Tensor {
        let (counts, shape) = (counts.to_kind(Kind::Double), self.log_shape.exp());
        // -ln (μ / (r + μ)) = softplus(ln r - ln μ).
        let each = &counts * (&self.log_shape - &self.log_mean).softplus();
        let ways = (&counts + &shape).lgamma() - shape.lgamma() - (counts + 1.0).lgamma();
        (each - ways - self.log_p_zero()).mean(Kind::Double).to_kind(Kind::Float)
    }

    /// ln of the probability of 0, r ln (r / (r + μ)), `[B]`.
    fn log_p_zero(&self) -> Tensor {
        -self.log_shape.exp() * (&self.log_mean - &self.log_shape).softplus()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubles(x: &Tensor) -> Vec<f64> {
        Vec::try_from(x.detach().to_kind(Kind::Double).contiguous().view([-1])).unwrap()
    }

    /// `count mean shape -logpmf d/dlnmean d/dlnshape p_zero` by SciPy: `tests/data/make_count_oracles.py`.
    fn oracles() -> Vec<[f64; 7]> {
        let numbers = |line: &str| -> Vec<f64> { line.split(',').map(|x| x.parse().unwrap()).collect() };
        let lines = include_str!("../../tests/data/negative_binomial.csv").lines().skip(1);
        lines.map(|line| numbers(line).try_into().unwrap()).collect()
    }

    #[test]
    fn loss_slopes_and_zeros_are_those_of_scipy() {
        let close = |got: f64, expected: f64| (got - expected).abs() <= 2e-5 * expected.abs().max(1.0);
        let rows = oracles();
        assert!(rows.len() > 20);
        for row in rows {
            let [count, mean, shape, loss, by_mean, by_shape, p_zero] = row;
            let raw = Tensor::from_slice(&[mean.ln(), shape.ln()]).view([1, 2]).set_requires_grad(true);
            let found = NegativeBinomial::new(&raw).loss(&Tensor::from_slice(&[count as f32]));
            found.backward();
            let slopes = doubles(&raw.grad());
            assert!(close(found.double_value(&[]), loss), "{row:?}: {found:?}");
            assert!(close(slopes[0], by_mean) && close(slopes[1], by_shape), "{row:?}: {slopes:?}");
            let none = doubles(&NegativeBinomial::new(&raw).log_p_zero().exp());
            assert!((none[0] - p_zero).abs() < 1e-9, "{row:?}: {none:?}");
        }
    }

    #[test]
    fn extreme_outputs_have_finite_losses_and_slopes() {
        for raw in [[90.0, 90.0], [-90.0, -90.0], [90.0, -90.0], [-90.0, 90.0]] {
            for count in [0.0f32, 1.0, 1e6] {
                let raw = Tensor::from_slice(&raw).view([1, 2]).set_requires_grad(true);
                let loss = NegativeBinomial::new(&raw).loss(&Tensor::from_slice(&[count]));
                loss.backward();
                let found = [doubles(&loss), doubles(&raw.grad())].concat();
                assert!(found.iter().all(|x| x.is_finite()), "{raw:?} {count}: {found:?}");
            }
        }
    }

    #[test]
    fn it_starts_at_the_mean_and_the_variance_of_the_training_set() {
        let start =
            |mean, deviation| -> Vec<f32> { start_at(Moments { mean, deviation }).into_iter().map(f32::exp).collect() };
        // Variance 2 + 2² / 4 = 3.
        let found = start(2.0, 3f32.sqrt());
        assert!((found[0] - 2.0).abs() < 1e-5 && (found[1] - 4.0).abs() < 1e-4, "{found:?}");
        assert!(start(2.0, 1.0)[1] > 50.0, "varies less than the Poisson's");
        let none = start(0.0, 0.0);
        assert!(none.iter().all(|x| x.is_finite() && *x > 0.0), "{none:?}");
    }
}
