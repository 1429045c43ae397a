//! Losses and densities as functions of tensors; each names its formula. Means are over examples unless said otherwise.

use tch::{Kind, Tensor};

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

/// Generalised binary cross-entropy of right and drawn products (Petrov and Macdonald 2023, "gSASRec: Reducing overconfidence in
/// sequential recommendation trained with negative sampling"): each is a yes or no of its own, and the right one's probability
/// is raised to β, which makes up for how few wrong ones are drawn: with α their share of all wrong ones and `calibration` t,
/// β = α (t (1 - 1 / α) + 1 / α). 0 is plain cross-entropy, which tells far too high probabilities; 1 the right ones.
///
/// `states` `[N, D]`, `products` `[P, D]`, `targets` `[N]` the right products' rows, `drawn` `[S]` rows that all of them are compared
/// with; where the right one is drawn itself, that draw is left out.
pub(crate) fn generalised_binary_cross_entropy(
    states: &Tensor,
    products: &Tensor,
    targets: &Tensor,
    drawn: &Tensor,
    calibration: f64,
) -> Tensor {
    let (catalogue, count) = (products.size()[0], drawn.size()[0]);
    let share = (count as f64 / (catalogue - 1).max(1) as f64).min(1.0);
    let power = share * (calibration * (1.0 - 1.0 / share) + 1.0 / share);
    let right = (states * products.index_select(0, targets)).sum_dim_intlist(1, false, Kind::Float);
    let others = states.matmul(&products.index_select(0, drawn).to_kind(states.kind()).tr()).to_kind(Kind::Float);
    let is_other = targets.unsqueeze(1).not_equal_tensor(drawn).to_kind(Kind::Float);
    // -ln of a logistic function is a softplus.
    let wrong = (others.softplus() * is_other).sum_dim_intlist(1, false, Kind::Float);
    (right.neg().softplus() * power + wrong).mean(Kind::Float) / (count + 1) as f64
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn leaf(values: &[f32], shape: &[i64]) -> Tensor {
        Tensor::from_slice(values).view(shape).set_requires_grad(true)
    }

    pub(crate) fn floats(x: &Tensor) -> Vec<f64> {
        Vec::try_from(x.detach().to_kind(Kind::Double).contiguous().view([-1])).unwrap()
    }

    pub(crate) fn check_close(got: &[f64], expected: &[f64], tolerance: f64) {
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
    fn generalised_cross_entropy_is_that_of_its_paper() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let (products, states) = ([0.5, -1.0, 2.0, 0.25, -0.5], [1.5, -0.7]);
        let (targets, drawn) = ([2usize, 0], [1usize, 2]);
        // Two of four wrong ones: α = 1/2.
        for (calibration, power) in [(0.0, 1.0), (0.5, 0.75), (1.0, 0.5)] {
            let by_hand = |states: [f64; 2]| -> f64 {
                let of = |(state, right): (f64, usize)| {
                    let others = drawn.iter().filter(|&&other| other != right);
                    let wrong: f64 = others.map(|&other| (1.0 - sigmoid(state * products[other])).ln()).sum();
                    -(sigmoid(state * products[right]).powf(power).ln() + wrong) / 3.0
                };
                states.into_iter().zip(targets).map(of).sum::<f64>() / 2.0
            };
            let x = leaf(&states.map(|x| x as f32), &[2, 1]);
            let catalogue = Tensor::from_slice(&products.map(|x| x as f32)).view([5, 1]);
            let [right, wrong] = [targets, drawn].map(|rows| Tensor::from_slice(&rows.map(|row| row as i64)));
            let loss = generalised_binary_cross_entropy(&x, &catalogue, &right, &wrong, calibration);
            loss.backward();
            check_close(&floats(&loss), &[by_hand(states)], 1e-6);
            let slope = |i: usize| {
                let (mut up, mut down) = (states, states);
                up[i] += 1e-5;
                down[i] -= 1e-5;
                (by_hand(up) - by_hand(down)) / 2e-5
            };
            check_close(&floats(&x.grad()), &[slope(0), slope(1)], 1e-5);
        }
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
}
