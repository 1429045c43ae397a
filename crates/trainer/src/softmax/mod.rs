//! Cross-entropy of a softmax over products whose logits never exist at once.
//!
//! With L the logarithm of the sum of exponentials of a row's logits, its loss is L - (the right product's logit), or that of a
//! mixture in which the softmax's answer is one of several. Only the derivative by L needs all logits: it is the softmax. So rows
//! are taken in chunks, each chunk's L is computed with its gradient, and autograd does the rest.

mod columns;
mod exponentials;

use tch::{Kind, Tensor};

pub(crate) use self::exponentials::chunks;
use self::exponentials::{Exponentials, Exps};
use crate::losses::Loss;

/// What a softmax over products is mixed with: P = weights₀ softmax + weights₁ shares₀ + weights₂ shares₁.
pub(crate) struct Beside {
    /// `[N, 3]`
    pub(crate) weights: Tensor,
    /// Of the right product, `[N, 2]`; no gradient.
    pub(crate) shares: Tensor,
}

impl Beside {
    fn rows(&self, first: i64, count: i64) -> Self {
        Self { weights: self.weights.narrow(0, first, count), shares: self.shares.narrow(0, first, count) }
    }

    fn weight(&self) -> Tensor {
        self.weights.select(1, 0)
    }

    /// The mixed probability of the right products, `[N]`, given the softmax's.
    fn mix(&self, softmax: &Tensor) -> Tensor {
        let told = (self.weights.narrow(1, 1, 2) * &self.shares).sum_dim_intlist(1, false, Kind::Float);
        self.weight() * softmax + told
    }

    /// How much of the mixed probability is the softmax's own, `[N]`.
    fn share_of_softmax(&self, softmax: &Tensor) -> Tensor {
        self.weight() * softmax / positive(&self.mix(softmax))
    }
}

/// Cross-entropy of a softmax over the whole catalogue, or over a sample of it, or of its mixture with what is `beside` it.
///
/// `hidden` `[N, D]`, whose kind is computed with, `products` `[P, D]`, `targets` `[N]` (row of the right product). With `negatives` `[S]` each
/// target competes with those products only, their scores raised by ln(P / S), so that the sampled softmax estimates
/// the full one (Jean et al. 2015, uniform proposal); where the target is drawn itself, that draw is left out.
pub(crate) fn softmax_cross_entropy(
    hidden: &Tensor,
    products: &Tensor,
    targets: &Tensor,
    negatives: Option<&Tensor>,
    beside: Option<&Beside>,
) -> Loss {
    let right = (hidden * products.index_select(0, targets)).sum_dim_intlist(1, false, Kind::Float);
    let sample = negatives.map(|drawn| Sample::new(drawn, targets, products.size()[0]));
    let competing = negatives.map_or_else(|| products.shallow_clone(), |drawn| products.index_select(0, drawn));
    let Sums { log_sum, backward } = sums(hidden, &competing, &right.detach(), sample.as_ref(), beside);
    let all = all_competing(&log_sum, &right, sample.as_ref());
    let surprise = match beside {
        None => all - right,
        Some(beside) => -positive(&beside.mix(&(right - all).exp())).log(),
    };
    let rows = hidden.size()[0];
    let mean = surprise.sum(Kind::Float) / rows as f64;
    Loss { value: mean.detach(), backward: mean + backward / rows as f64, count: rows }
}

/// Draws that compete with the targets in place of the whole catalogue.
struct Sample<'a> {
    drawn: &'a Tensor,
    targets: &'a Tensor,
    /// What is added to the draws' logits.
    raised: f64,
}

impl<'a> Sample<'a> {
    fn new(drawn: &'a Tensor, targets: &'a Tensor, products: i64) -> Self {
        Self { drawn, targets, raised: (products as f64 / drawn.size()[0] as f64).ln() }
    }
}

/// L of all that competes, given that of the logits computed, and the right product's logit where it is not among them.
fn all_competing(log_sum: &Tensor, right: &Tensor, sample: Option<&Sample>) -> Tensor {
    match sample {
        None => log_sum.shallow_clone(),
        Some(sample) => (log_sum + sample.raised).logaddexp(right),
    }
}

struct Sums {
    /// ln Σ exp of each row's logits, `[N]`; no gradient.
    log_sum: Tensor,
    /// Its `backward()` leaves the part of the summed loss's gradient that goes through `log_sum`.
    backward: Tensor,
}

/// `competing` `[S, D]` are the products or the draws, `right` `[N]` the logits of the right ones.
fn sums(hidden: &Tensor, competing: &Tensor, right: &Tensor, sample: Option<&Sample>, beside: Option<&Beside>) -> Sums {
    let (h, p) = (hidden.detach(), competing.detach().to_kind(hidden.kind()));
    let (mut log_sums, mut grad_h) = (Vec::new(), Vec::new());
    let mut grad_p = Tensor::zeros(p.size(), (Kind::Float, h.device()));
    tch::no_grad(|| {
        let mut exponentials = Exponentials::new(&p);
        for (first, count) in chunks(h.size()[0], p.size()[0], h.device()) {
            let rows = |x: &Tensor| x.narrow(0, first, count);
            let (h, right) = (rows(&h), rows(right));
            let targets = sample.map(|sample| rows(sample.targets));
            let Exps { values, per_sum, log_sum } =
                exponentials.of(&h, sample.map(|sample| sample.drawn).zip(targets.as_ref()));
            // d loss / d logit is the logit's exponential times this.
            let all = all_competing(&log_sum, &right, sample);
            let raised = sample.map_or(0.0, |sample| sample.raised);
            let mut slope = per_sum * (&log_sum + raised - &all).exp();
            if let Some(beside) = beside {
                slope *= beside.rows(first, count).share_of_softmax(&(right - all).exp());
            }
            let slope = slope.unsqueeze(1);
            let steep = (&h * &slope).to_kind(h.kind());
            match steep.kind() == grad_p.kind() {
                true => grad_p = grad_p.addmm_(&values.tr(), &steep),
                false => grad_p += values.tr().matmul(&steep),
            }
            grad_h.push(values.matmul(&p) * slope);
            log_sums.push(log_sum);
        }
    });
    let backward = (hidden * Tensor::cat(&grad_h, 0)).sum(Kind::Float) + (competing * grad_p).sum(Kind::Float);
    Sums { log_sum: Tensor::cat(&log_sums, 0), backward }
}

/// A probability that underflowed is the least there is.
fn positive(probabilities: &Tensor) -> Tensor {
    probabilities.clamp_min(f64::from(f32::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::device;
    use crate::losses::tests::{check_close, floats};

    /// Value and both gradients of a softmax loss.
    fn softmax_parts(rows: i64, loss: impl Fn(&Tensor, &Tensor, &Tensor) -> (Tensor, Tensor)) -> [Vec<f64>; 3] {
        let normal = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let (hidden, products) = device::seeded(1, 5, || (normal(&[rows, 8]), normal(&[40, 8])));
        let targets = Tensor::arange(rows, (Kind::Int64, Device::Cpu)).remainder(40);
        let (value, backward) = loss(&hidden, &products, &targets);
        backward.backward();
        [floats(&value), floats(&hidden.grad()), floats(&products.grad())]
    }

    fn check_softmax(rows: i64, negatives: Option<&Tensor>) {
        let ours = softmax_parts(rows, |h, p, t| {
            let loss = softmax_cross_entropy(h, p, t, negatives, None);
            assert_eq!(loss.count, rows);
            (loss.value, loss.backward)
        });
        let plain = softmax_parts(rows, |h, p, t| {
            let loss = h.matmul(&p.tr()).cross_entropy_for_logits(t);
            (loss.detach(), loss)
        });
        for (ours, plain) in ours.iter().zip(&plain) {
            check_close(ours, plain, 1e-5);
        }
    }

    #[test]
    fn chunked_softmax_equals_the_plain_one() {
        check_softmax(70, None);
        // More rows than a chunk has.
        assert!(chunks(60_000, 40, Device::Cpu).count() > 1);
        check_softmax(60_000, None);
    }

    /// Two or three digits are left.
    #[test]
    fn half_precision_is_near() {
        let parts = |kind: Kind| {
            softmax_parts(300, |h, p, t| {
                let loss = softmax_cross_entropy(&h.to_kind(kind), p, t, None, None);
                (loss.value, loss.backward)
            })
        };
        for (half, full) in parts(Kind::BFloat16).iter().zip(&parts(Kind::Float)) {
            let size = full.iter().map(|x| x * x).sum::<f64>().sqrt();
            let error = half.iter().zip(full).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
            assert!(error < 0.01 * size, "{error} of {size}");
        }
    }

    #[test]
    fn sampling_every_product_once_is_the_full_softmax() {
        let everything = Tensor::arange(40, (Kind::Int64, Device::Cpu)).flip([0]);
        check_softmax(70, Some(&everything));
    }

    /// The mixture written out, all by autograd.
    #[test]
    fn what_a_softmax_is_mixed_with_gets_its_part_of_the_gradient() {
        const ROWS: i64 = 60_000;
        let everything = Tensor::arange(40, (Kind::Int64, Device::Cpu));
        for negatives in [None, Some(&everything)] {
            let draw = || {
                (
                    Tensor::randn([ROWS, 3], (Kind::Float, Device::Cpu)),
                    Tensor::rand([ROWS, 2], (Kind::Float, Device::Cpu)),
                )
            };
            let (raw, shares) = device::seeded(1, 9, draw);
            let (ours_raw, plain_raw) = (raw.copy().set_requires_grad(true), raw.copy().set_requires_grad(true));
            let ours = softmax_parts(ROWS, |h, p, t| {
                let beside = Beside { weights: ours_raw.softmax(1, Kind::Float), shares: shares.shallow_clone() };
                let loss = softmax_cross_entropy(h, p, t, negatives, Some(&beside));
                (loss.value, loss.backward)
            });
            let plain = softmax_parts(ROWS, |h, p, t| {
                let right = h.matmul(&p.tr()).softmax(1, Kind::Float).gather(1, &t.unsqueeze(1), false);
                let parts = Tensor::cat(&[right, shares.shallow_clone()], 1) * plain_raw.softmax(1, Kind::Float);
                let loss = -parts.sum_dim_intlist(1, false, Kind::Float).log().mean(Kind::Float);
                (loss.detach(), loss)
            });
            for (ours, plain) in ours.iter().zip(&plain) {
                check_close(ours, plain, 1e-5);
            }
            check_close(&floats(&ours_raw.grad()), &floats(&plain_raw.grad()), 1e-6);
        }
    }

    #[test]
    fn sampled_softmax_estimates_the_full_one() {
        let normal = |rows: i64| Tensor::randn([rows, 8], (Kind::Float, Device::Cpu)) * 0.5;
        let drawn = || Tensor::randint(5000, [2000], (Kind::Int64, Device::Cpu));
        let (hidden, products, drawn) = device::seeded(1, 7, || (normal(50), normal(5000), drawn()));
        let targets = Tensor::arange(50, (Kind::Int64, Device::Cpu));
        let full = floats(&softmax_cross_entropy(&hidden, &products, &targets, None, None).value)[0];
        let sampled = floats(&softmax_cross_entropy(&hidden, &products, &targets, Some(&drawn), None).value)[0];
        // Without the correction it would be off by ln(5000 / 2000) = .92.
        assert!((full - sampled).abs() < 0.02, "{sampled} is far from {full}");
    }
}
