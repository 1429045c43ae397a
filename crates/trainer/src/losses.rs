//! Losses and densities as functions of tensors; each names its formula. Means are over examples unless said otherwise.

use tch::{Device, Kind, Tensor};

/// A purchase on the day of the cut-off still takes some time: days are at least this, about an hour and a half, for
/// the lognormal has no density at 0.
pub(crate) const MIN_DAYS: f32 = 1.0 / 16.0;
/// Deviations of logarithms stay above this, or a mixture would put all its mass on one day that is frequent by chance.
const MIN_SIGMA: f64 = 0.1;
const HALF_LOG_TWO_PI: f64 = 0.918_938_533_204_672_7;

/// A loss and the way to its gradient.
pub(crate) struct Loss {
    /// The mean loss, no gradient attached.
    pub(crate) value: Tensor,
    /// Its `backward()` leaves the mean loss's gradient; its own value means nothing.
    pub(crate) backward: Tensor,
    /// Over how many terms the mean is.
    pub(crate) count: i64,
}

impl Loss {
    /// A mean over `count` terms whose gradient autograd knows.
    pub(crate) fn of(loss: Tensor, count: i64) -> Self {
        Self { value: loss.detach(), backward: loss, count }
    }

    /// The same loss, its gradient `weight` times as long.
    pub(crate) fn weighted(self, weight: f64) -> Self {
        Self { backward: self.backward * weight, ..self }
    }
}

/// Binary cross-entropy of logits `[B]` and targets 0 or 1 `[B]`.
pub(crate) fn binary_cross_entropy(logits: &Tensor, targets: &Tensor) -> Tensor {
    // softplus(x) - x y, stable for large |x|.
    (logits.softplus() - logits * targets).mean(Kind::Float)
}

/// A standard deviation from an unbounded number.
pub(crate) fn sigma(raw: &Tensor) -> Tensor {
    raw.softplus() + MIN_SIGMA
}

/// The number for which [`sigma`] gives `deviation`, or the least sigma there is.
pub(crate) fn raw_sigma(deviation: f32) -> f32 {
    // The inverse of softplus, ln(e^x - 1); below this floor it would fall to minus infinity.
    const FLOOR: f32 = 0.05;
    (deviation - MIN_SIGMA as f32).max(FLOOR).exp_m1().ln()
}

/// ln of the lognormal density at `exp(log_x)`.
pub(crate) fn log_normal_density(log_x: &Tensor, mu: &Tensor, sigma: &Tensor) -> Tensor {
    let z = (log_x - mu) / sigma;
    z.square() * -0.5 - sigma.log() - log_x - HALF_LOG_TWO_PI
}

/// ln of the chance that a lognormal exceeds `exp(log_x)`.
pub(crate) fn log_normal_survival(log_x: &Tensor, mu: &Tensor, sigma: &Tensor) -> Tensor {
    ((mu - log_x) / sigma).special_log_ndtr()
}

/// Negative log-likelihood of the zero-inflated lognormal (Wang, Liu, Miao 2019, "A deep probabilistic model for
/// customer lifetime value prediction"): cross-entropy of "is above 0", plus the lognormal's of the values above 0.
/// `raw` `[B, 3]` holds the logit, mu and the raw sigma; `values` `[B]` below 0 count as 0.
pub(crate) fn zero_inflated_lognormal(raw: &Tensor, values: &Tensor) -> Tensor {
    let (logit, mu, sigma) = (raw.select(1, 0), raw.select(1, 1), sigma(&raw.select(1, 2)));
    let is_positive = values.gt(0.0).to_kind(Kind::Float);
    // Where nothing was bought the density is multiplied by 0, but must be finite for that.
    let log_value = values.where_self(&values.gt(0.0), &values.ones_like()).log();
    let density = log_normal_density(&log_value, &mu, &sigma) * &is_positive;
    binary_cross_entropy(&logit, &is_positive) - density.mean(Kind::Float)
}

/// A mixture of lognormals of days, per example.
pub(crate) struct Mixture {
    /// ln of the weights, `[B, K]`.
    log_weight: Tensor,
    mu: Tensor,
    sigma: Tensor,
}

impl Mixture {
    /// `raw` `[B, 3 K]`: logits of the weights, mus, raw sigmas.
    pub(crate) fn new(raw: &Tensor) -> Self {
        let parts = raw.chunk(3, 1);
        Self { log_weight: parts[0].log_softmax(1, Kind::Float), mu: parts[1].shallow_clone(), sigma: sigma(&parts[2]) }
    }

    /// ln of the chance that it takes longer than `days` `[B]`, `[B]`.
    pub(crate) fn log_survival(&self, days: &Tensor) -> Tensor {
        let log_days = days.log().unsqueeze(1);
        (&self.log_weight + log_normal_survival(&log_days, &self.mu, &self.sigma)).logsumexp(1, false)
    }

    /// Negative log-likelihood of the days to the next purchase, `[B]`; where `is_observed` `[B]` is 0, nothing
    /// happened within `days` and the term is the survival to that day (right-censoring).
    pub(crate) fn loss(&self, days: &Tensor, is_observed: &Tensor) -> Tensor {
        let log_days = days.log().unsqueeze(1);
        let density = (&self.log_weight + log_normal_density(&log_days, &self.mu, &self.sigma)).logsumexp(1, false);
        let survival = self.log_survival(days);
        let likelihood: Tensor = is_observed * density + (1.0 - is_observed) * survival;
        -likelihood.mean(Kind::Float)
    }

    /// The days before which a share `p` of next purchases falls, `[B]`, by bisection; at most 100 years.
    pub(crate) fn quantile(&self, p: f64) -> Tensor {
        // Each step halves an interval of about 13 in log-days: 40 leave less than a millionth of a day per day.
        const STEPS: usize = 40;
        const MAX_DAYS: f64 = 36_525.0;
        let mut low = self.mu.select(1, 0).full_like(f64::from(MIN_DAYS).ln());
        let mut high = low.full_like(MAX_DAYS.ln());
        for _ in 0..STEPS {
            let middle = (&low + &high) * 0.5;
            let is_before = self.log_survival(&middle.exp()).exp().gt(1.0 - p);
            low = middle.where_self(&is_before, &low);
            high = high.where_self(&is_before, &middle);
        }
        high.exp()
    }
}

/// What a softmax over products is mixed with: P = weights₀ softmax + weights₁ shares₀ + weights₂ shares₁.
pub(crate) struct Beside {
    /// `[N, 3]`
    pub(crate) weights: Tensor,
    /// Of the right product, `[N, 2]`; no gradient.
    pub(crate) shares: Tensor,
}

impl Beside {
    /// The mixed probability of the right products, `[n, 1]`, given the softmax's.
    fn mix(&self, softmax: &Tensor, first: i64) -> Tensor {
        let rows = |x: &Tensor| x.narrow(0, first, softmax.size()[0]);
        let told = (rows(&self.weights).narrow(1, 1, 2) * rows(&self.shares)).sum_dim_intlist(1, true, Kind::Float);
        rows(&self.weights).narrow(1, 0, 1) * softmax + told
    }

    /// How much of the mixed probability is the softmax's own, `[n, 1]`: the factor of its gradient.
    fn share_of_softmax(&self, softmax: &Tensor, mixed: &Tensor, first: i64) -> Tensor {
        self.weights.narrow(0, first, softmax.size()[0]).narrow(1, 0, 1) * softmax / positive(mixed)
    }
}

/// Cross-entropy of a softmax over the whole catalogue, or over a sample of it, or of its mixture with what is `beside` it.
///
/// `hidden` `[N, D]`, whose kind is computed with, `products` `[P, D]`, `targets` `[N]` (row of the right product). With `negatives` `[S]` each
/// target competes with those products only, their scores raised by ln(P / S), so that the sampled softmax estimates
/// the full one (Jean et al. 2015, uniform proposal); where the target is drawn itself, that draw is left out.
///
/// The logits never exist at once: rows are taken in chunks, and each chunk's gradient is computed with its loss. What
/// remains for autograd is a product with that gradient, which has the same derivative.
pub(crate) fn softmax_cross_entropy(
    hidden: &Tensor,
    products: &Tensor,
    targets: &Tensor,
    negatives: Option<&Tensor>,
    beside: Option<&Beside>,
) -> Loss {
    let softmax = match negatives {
        None => full_softmax(hidden, products, targets, beside),
        Some(negatives) => sampled_softmax(hidden, products, targets, negatives, beside),
    };
    let Softmax { loss, right } = softmax;
    match beside {
        None => loss,
        // The weights' part of the gradient; of the softmax's value nothing depends on them.
        Some(beside) => {
            let weights = surprise(&beside.mix(&Tensor::cat(&right, 0), 0)) / loss.count as f64;
            Loss { backward: loss.backward + weights, ..loss }
        }
    }
}

/// The loss, its gradient that of the softmax alone, and by chunks the softmax's probability of the right products, `[n, 1]`.
struct Softmax {
    loss: Loss,
    right: Vec<Tensor>,
}

/// Logits per chunk. On a CPU enough for full speed and little enough for its cache; a GPU wants few, large operations.
fn chunk_logits(device: Device) -> i64 {
    if device.is_cuda() { 1 << 25 } else { 1 << 21 }
}

/// The chunks `(first row, rows)` of `rows` rows with `columns` logits each.
pub(crate) fn chunks(rows: i64, columns: i64, device: Device) -> impl Iterator<Item = (i64, i64)> {
    let size = (chunk_logits(device) / columns.max(1)).max(1);
    (0..rows).step_by(size as usize).map(move |first| (first, size.min(rows - first)))
}

/// A probability that underflowed is the least there is.
fn positive(probabilities: &Tensor) -> Tensor {
    probabilities.clamp_min(f64::from(f32::MIN_POSITIVE))
}

/// The sum of -ln of probabilities, never a loss without end.
fn surprise(probabilities: &Tensor) -> Tensor {
    -positive(probabilities).log().sum(Kind::Float)
}

/// Adds the surprise of the right products, whose probability in the softmax `[n, 1]` is given, to `value`; gives the factor
/// of the softmax's gradient, if it is not 1.
fn judge(value: &mut Tensor, right: &Tensor, first: i64, beside: Option<&Beside>) -> Option<Tensor> {
    let mixed = beside.map(|beside| beside.mix(right, first));
    *value += surprise(mixed.as_ref().unwrap_or(right));
    Some(beside?.share_of_softmax(right, &mixed?, first))
}

fn full_softmax(hidden: &Tensor, products: &Tensor, targets: &Tensor, beside: Option<&Beside>) -> Softmax {
    let (h, p) = (hidden.detach(), products.detach().to_kind(hidden.kind()));
    let (rows, device) = (h.size()[0], h.device());
    let mut value = Tensor::zeros([], (Kind::Float, device));
    let (mut grad_h, mut rights) = (Vec::new(), Vec::new());
    let mut grad_p = Tensor::zeros(p.size(), (Kind::Float, device));
    tch::no_grad(|| {
        for (first, count) in chunks(rows, p.size()[0], device) {
            let h = h.narrow(0, first, count);
            let target = targets.narrow(0, first, count).unsqueeze(1);
            let mut grad = h.matmul(&p.tr()).softmax(1, Kind::Float);
            let right = grad.gather(1, &target, false);
            let factor = judge(&mut value, &right, first, beside);
            rights.push(right);
            // d loss / d logits = softmax - one-hot.
            let _ = grad.scatter_add_(1, &target, &target.full_like(-1.0).to_kind(Kind::Float));
            if let Some(factor) = factor {
                grad *= factor;
            }
            let grad = grad.to_kind(h.kind());
            grad_p += grad.tr().matmul(&h);
            grad_h.push(grad.matmul(&p));
        }
    });
    let scale = 1.0 / rows as f64;
    let backward = (hidden * Tensor::cat(&grad_h, 0)).sum(Kind::Float) + (products * grad_p).sum(Kind::Float);
    Softmax { loss: Loss { value: value * scale, backward: backward * scale, count: rows }, right: rights }
}

fn sampled_softmax(
    hidden: &Tensor,
    products: &Tensor,
    targets: &Tensor,
    negatives: &Tensor,
    beside: Option<&Beside>,
) -> Softmax {
    let (right, wrong) = (products.index_select(0, targets), products.index_select(0, negatives));
    let [h, r, w] = [hidden, &right, &wrong].map(|x| x.detach().to_kind(hidden.kind()));
    let (rows, sample, device) = (h.size()[0], w.size()[0], h.device());
    let raised = (products.size()[0] as f64 / sample as f64).ln();
    let mut value = Tensor::zeros([], (Kind::Float, device));
    let (mut grad_h, mut grad_r, mut rights) = (Vec::new(), Vec::new(), Vec::new());
    let mut grad_w = Tensor::zeros(w.size(), (Kind::Float, device));
    tch::no_grad(|| {
        for (first, count) in chunks(rows, sample, device) {
            let (h, r) = (h.narrow(0, first, count), r.narrow(0, first, count));
            let is_target = targets.narrow(0, first, count).unsqueeze(1).eq_tensor(negatives);
            let right = (&h * &r).sum_dim_intlist(1, true, Kind::Float);
            let wrong = (h.matmul(&w.tr()).to_kind(Kind::Float) + raised).masked_fill(&is_target, f64::NEG_INFINITY);
            let softmax = Tensor::cat(&[right, wrong], 1).softmax(1, Kind::Float);
            let right = softmax.narrow(1, 0, 1);
            let factor = judge(&mut value, &right, first, beside);
            let scaled = |grad: Tensor| match &factor {
                Some(factor) => (grad * factor).to_kind(h.kind()),
                None => grad.to_kind(h.kind()),
            };
            let grad_right = scaled(&right - 1.0);
            let grad_wrong = scaled(softmax.narrow(1, 1, sample));
            rights.push(right);
            grad_w += grad_wrong.tr().matmul(&h);
            grad_h.push(grad_wrong.matmul(&w) + &grad_right * &r);
            grad_r.push(grad_right * &h);
        }
    });
    let scale = 1.0 / rows as f64;
    let backward = (hidden * Tensor::cat(&grad_h, 0)).sum(Kind::Float)
        + (right * Tensor::cat(&grad_r, 0)).sum(Kind::Float)
        + (wrong * grad_w).sum(Kind::Float);
    Softmax { loss: Loss { value: value * scale, backward: backward * scale, count: rows }, right: rights }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    fn leaf(values: &[f32], shape: &[i64]) -> Tensor {
        Tensor::from_slice(values).view(shape).set_requires_grad(true)
    }

    fn floats(x: &Tensor) -> Vec<f64> {
        Vec::try_from(x.detach().to_kind(Kind::Double).contiguous().view([-1])).unwrap()
    }

    fn check_close(got: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() <= tolerance * expected.abs().max(1.0), "{got} is not {expected}");
        }
    }

    fn density(x: f64, mu: f64, sigma: f64) -> f64 {
        let z = (x.ln() - mu) / sigma;
        (-0.5 * z * z).exp() / (x * sigma * (2.0 * std::f64::consts::PI).sqrt())
    }

    /// The mass of a lognormal above `x`, by Simpson's rule over the normal's density in ln x.
    fn survival(x: f64, mu: f64, sigma: f64) -> f64 {
        let (from, to, steps) = (x.ln(), mu + 12.0 * sigma, 20_000);
        let width = (to - from) / f64::from(steps);
        let weight = |i| {
            if i == 0 || i == steps {
                1.0
            } else if i % 2 == 1 {
                4.0
            } else {
                2.0
            }
        };
        let value = |i| {
            let x = (from + f64::from(i) * width).exp();
            weight(i) * density(x, mu, sigma) * x
        };
        (0..=steps).map(value).sum::<f64>() * width / 3.0
    }

    fn softplus(x: f64) -> f64 {
        x.exp().ln_1p()
    }

    #[test]
    fn value_loss_is_the_zero_inflated_lognormal() {
        let raw = [0.3, 2.0, -0.5, -1.2, 4.0, 1.5, 0.8, 3.0, 0.1];
        let values = [20.0, -5.0, 0.0];
        let by_hand = |raw: &[f64]| -> f64 {
            let terms = raw.chunks(3).zip(values).map(|(raw, value)| {
                let (p, sigma) = (1.0 / (1.0 + (-raw[0]).exp()), softplus(raw[2]) + 0.1);
                if value > 0.0 { -p.ln() - density(value, raw[1], sigma).ln() } else { -(1.0 - p).ln() }
            });
            terms.sum::<f64>() / 3.0
        };
        let x = leaf(&raw.map(|x| x as f32), &[3, 3]);
        let loss = zero_inflated_lognormal(&x, &Tensor::from_slice(&values.map(|v| v as f32)));
        loss.backward();
        check_close(&floats(&loss), &[by_hand(&raw)], 1e-6);
        let slopes: Vec<f64> = (0..9)
            .map(|i| {
                let (mut up, mut down) = (raw, raw);
                up[i] += 1e-5;
                down[i] -= 1e-5;
                (by_hand(&up) - by_hand(&down)) / 2e-5
            })
            .collect();
        check_close(&floats(&x.grad()), &slopes, 1e-5);
    }

    #[test]
    fn time_loss_counts_the_censored_by_their_survival() {
        // Two components; weights .25 and .75.
        let (mu, raw) = ([2.0, 4.0], [0.2, -0.3]);
        let sigma = raw.map(|raw| softplus(raw) + 0.1);
        let row = [0.0, 3f64.ln(), mu[0], mu[1], raw[0], raw[1]].map(|x| x as f32);
        let x = leaf(&[row, row, row].concat(), &[3, 6]);
        let (days, is_observed) = ([3.0, 90.0, 90.0], [1.0, 0.0, 1.0]);
        let mix = |f: fn(f64, f64, f64) -> f64, day| 0.25 * f(day, mu[0], sigma[0]) + 0.75 * f(day, mu[1], sigma[1]);
        let expected = -(mix(density, 3.0).ln() + mix(survival, 90.0).ln() + mix(density, 90.0).ln()) / 3.0;
        let tensor = |values: [f64; 3]| Tensor::from_slice(&values.map(|x| x as f32));
        let mixture = Mixture::new(&x);
        let loss = mixture.loss(&tensor(days), &tensor(is_observed));
        check_close(&floats(&loss), &[expected], 1e-5);
        loss.backward();
        assert!(floats(&x.grad()).iter().all(|slope| slope.is_finite()));
    }

    #[test]
    fn an_impossible_survival_has_a_finite_gradient() {
        let x = leaf(&[0.0, -3.0, -5.0], &[1, 3]);
        let loss = Mixture::new(&x).loss(&Tensor::from_slice(&[365.0f32]), &Tensor::from_slice(&[0.0f32]));
        loss.backward();
        assert!(floats(&loss)[0] > 100.0 && floats(&x.grad()).iter().all(|slope| slope.is_finite()));
    }

    #[test]
    fn quantiles_invert_the_survival() {
        let raw = Tensor::from_slice(&[0.3f64, -0.2, 2.5, 3.5, 0.1, 0.7, 1.0, -1.0, 6.0, 1.0, 0.4, 0.0]).view([2, 6]);
        let mixture = Mixture::new(&raw);
        for p in [0.1, 0.5, 0.9] {
            let days = mixture.quantile(p);
            check_close(&floats(&mixture.log_survival(&days).exp()), &[1.0 - p, 1.0 - p], 1e-6);
        }
    }

    #[test]
    fn raw_sigma_inverts_sigma() {
        for deviation in [0.3f32, 1.0, 2.5] {
            let back = sigma(&Tensor::from(raw_sigma(deviation)));
            check_close(&floats(&back), &[f64::from(deviation)], 1e-6);
        }
    }

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
