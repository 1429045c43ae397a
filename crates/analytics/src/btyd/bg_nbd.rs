//! BG/NBD: purchases at a gamma-distributed rate; after each the customer leaves with a beta-distributed probability.
//! Fader, Hardie, Lee, "Counting Your Customers the Easy Way" (2005). Nobody can leave before a second purchase, so
//! one-time buyers all have p_alive 1: rank churn by `p_zero` or `expected`, never by `p_alive`.

use statrs::function::beta::beta_reg;
use statrs::function::gamma::{digamma, ln_gamma};

use super::group::{Group, Groups};
use super::optimise::minimise;
use super::{NEW, PurchaseModel, Summary, check_parameters};
use crate::error::{Error, Result};

/// Purchase rate ~ Gamma(r, rate alpha), in purchases per unit of time; chance to leave after a purchase ~ Beta(a, b).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BgNbd {
    pub r: f64,
    pub alpha: f64,
    pub a: f64,
    pub b: f64,
}

/// Bounds of the logarithm of each parameter, alpha in mean ages.
const BOUNDS: [(f64, f64); 4] = [(-9.0, 9.0); 4];
/// Histories used to choose the start of the fit on all of them.
const SAMPLE: usize = 4000;
/// A share of the sum so small that the rest of a series of falling terms no longer matters.
const NEGLIGIBLE: f64 = 1e-16;
/// Horizon in units of alpha + age, and purchases in it, up to which `expected` is summed over the purchases.
const SUMMED_HORIZON: f64 = 20.0;
const SUMMED_PURCHASES: f64 = 500.0;
/// Distance (in ln odds) from where anything happens at which the integrand is a pure exponential.
const FAR: f64 = 40.0;

impl BgNbd {
    /// The parameters, which are all positive.
    pub fn new(r: f64, alpha: f64, a: f64, b: f64) -> Result<Self> {
        check_parameters([("r", r), ("alpha", alpha), ("a", a), ("b", b)])?;
        Ok(Self { r, alpha, a, b })
    }

    /// Maximum likelihood. Fails for no customers, an impossible history, or when nobody bought twice.
    pub fn fit(customers: &[Summary]) -> Result<Self> {
        let groups = Groups::new(customers)?;
        let start = |r: f64, a: f64, b: f64| [r, r / groups.mean_x, a, b].map(f64::ln);
        let starts = [start(0.5, 0.8, 2.5), start(2.0, 0.3, 5.0), start(0.3, 1.5, 1.5)];
        let sample = groups.sample(SAMPLE);
        let found = minimise(|at| objective(&groups, at), |at| objective(&sample, at), &BOUNDS, starts);
        let [r, alpha, a, b] = found.map(f64::exp);
        Ok(Self { r, alpha: alpha * groups.mean_age, a, b })
    }

    /// Purchases that a new customer makes after the first, in `duration`.
    pub fn expected_of_new(&self, duration: f64) -> f64 {
        self.expected(&NEW, duration)
    }

    /// Probability that a new customer makes exactly `count` purchases after the first, in `duration`, which is not negative
    /// (equation 8).
    pub fn p_count(&self, count: u32, duration: f64) -> Result<f64> {
        if !(duration >= 0.0 && duration.is_finite()) {
            return Err(Error::Setting { name: "duration", value: duration, valid: "0 or more and finite" });
        }
        let Self { r, alpha, a, b } = *self;
        let x = f64::from(count);
        let share = duration / (alpha + duration);
        let ln_beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
        let ln_count = ln_gamma(r + x) - ln_gamma(r) - ln_gamma(x + 1.0);
        let ln_poisson = ln_count + r * (-share).ln_1p() + if count > 0 { x * share.ln() } else { 0.0 };
        let stayed = (ln_beta(a, b + x) - ln_beta(a, b) + ln_poisson).exp();
        if count == 0 {
            return Ok(stayed);
        }
        let left_now = (ln_beta(a + 1.0, b + x - 1.0) - ln_beta(a, b)).exp();
        Ok(stayed + left_now * beta_reg(x, r, share))
    }

    /// ln of the odds that the customer left right after the last purchase; −∞ for a one-time buyer.
    fn ln_odds_left(&self, c: &Summary) -> f64 {
        if c.x == 0.0 {
            return f64::NEG_INFINITY;
        }
        let quiet = ((c.t - c.t_x) / (self.alpha + c.t_x)).ln_1p();
        self.a.ln() - (self.b + c.x - 1.0).ln() + (self.r + c.x) * quiet
    }
}

impl PurchaseModel for BgNbd {
    fn log_likelihood(&self, c: &Summary) -> f64 {
        let Self { r, alpha, a, b } = *self;
        let rate = ln_gamma(r + c.x) - ln_gamma(r) + r * alpha.ln() - (r + c.x) * (alpha + c.t).ln();
        let stay = ln_gamma(a + b) - ln_gamma(b) + ln_gamma(b + c.x) - ln_gamma(a + b + c.x);
        rate + stay + ln_1p_exp(self.ln_odds_left(c))
    }

    fn p_alive(&self, c: &Summary) -> f64 {
        1.0 / (1.0 + self.ln_odds_left(c).exp())
    }

    fn expected(&self, c: &Summary, horizon: f64) -> f64 {
        if horizon <= 0.0 {
            return 0.0;
        }
        let (n, b) = (self.r + c.x, self.b + c.x);
        let ratio = horizon / (self.alpha + c.t);
        let by_counts = ratio <= SUMMED_HORIZON && n * ratio <= SUMMED_PURCHASES;
        let active = if by_counts { sum_of_counts(self.a, b, n, ratio) } else { integral(self.a, b, n, ratio) };
        self.p_alive(c) * active
    }
}

/// Purchases expected of an active customer with rate ~ Gamma(n, rate 1) and p ~ Beta(a, b), in `ratio` units of time.
/// Were nobody to leave, their number would be negative binomial; of k of them the customer makes Σ_{j<k} E[(1−p)^j]
/// before leaving. All terms are positive, where the published form with 2F1 subtracts and divides by a − 1.
fn sum_of_counts(a: f64, b: f64, n: f64, ratio: f64) -> f64 {
    let share = ratio / (1.0 + ratio);
    let mean = n * ratio;
    let mut term = (-n * ratio.ln_1p()).exp();
    let (mut made, mut stays) = (0.0, 1.0);
    let (mut k, mut sum) = (0.0, 0.0);
    loop {
        term *= share * (n + k) / (k + 1.0);
        made += stays;
        stays *= (b + k) / (a + b + k);
        k += 1.0;
        sum += term * made;
        // Past the mean the terms fall by at least this factor, and `made` grows slower than k.
        let factor = share * ((n + k) / (k + 1.0)).max(1.0) * (1.0 + 1.0 / k);
        let is_needed = k <= mean || factor >= 1.0 || term * made * factor > NEGLIGIBLE * sum * (1.0 - factor);
        if !is_needed {
            return sum;
        }
    }
}

/// The same as E[(1 − (1 + p · ratio)^−n) / p], for horizons that hold very many purchases: the trapezoid rule in the ln
/// odds of p, which converges geometrically, outwards from the middle of p's distribution.
fn integral(a: f64, b: f64, n: f64, ratio: f64) -> f64 {
    let ln_beta = ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    let at = |u: f64| {
        let (ln_p, ln_stay) = (-ln_1p_exp(-u), -ln_1p_exp(u));
        let p = ln_p.exp();
        let made = -(-n * (p * ratio).ln_1p()).exp_m1() / p;
        made * (a * ln_p + b * ln_stay - ln_beta).exp()
    };
    let step = (0.7 * ((a + b) / (a * b)).sqrt()).min(0.25);
    let middle = (a / b).ln();
    let lowest = middle.min(0.0) - FAR - (n * ratio).max(b).max(1.0).ln();
    let highest = middle.max(0.0) + FAR + n.max(a).max(1.0).ln();
    let mut sum = at(middle);
    for (direction, end, decay) in [(-step, lowest, a), (step, highest, b)] {
        let mut u = middle;
        let mut last = f64::INFINITY;
        while (u < end) == (direction > 0.0) && last > NEGLIGIBLE * sum {
            u += direction;
            last = at(u);
            sum += last;
        }
        // The steps not taken are a geometric series.
        sum += last / (decay * step).exp_m1();
    }
    sum * step
}

/// ln(1 + e^v) without overflow.
fn ln_1p_exp(v: f64) -> f64 {
    v.max(0.0) + (-v.abs()).exp().ln_1p()
}

/// Negative mean log likelihood and its gradient, by the logarithms of the parameters.
fn objective(groups: &Groups, at: &[f64; 4]) -> (f64, [f64; 4]) {
    let [r, alpha, a, b] = at.map(f64::exp);
    let model = BgNbd { r, alpha, a, b };
    // All gamma functions depend on x only, of which there are few.
    let by_count: Vec<[f64; 4]> = groups.counts.iter().map(|&x| gamma_terms(&model, x)).collect();
    let of = |group: &Group| {
        let c = &group.history;
        let [value, by_r, by_a, by_b] = by_count[group.count];
        let n = r + c.x;
        let ln_odds = model.ln_odds_left(c);
        let left = 1.0 / (1.0 + (-ln_odds).exp());
        let quiet = ((c.t - c.t_x) / (alpha + c.t_x)).ln_1p();
        let ln_end = (alpha + c.t).ln();
        let by_alpha = r / alpha - n / (alpha + c.t) + left * n * (1.0 / (alpha + c.t) - 1.0 / (alpha + c.t_x));
        let odds_by_b = if c.x > 0.0 { left / (b + c.x - 1.0) } else { 0.0 };
        [
            value - n * ln_end + ln_1p_exp(ln_odds),
            r * (by_r - ln_end + left * quiet),
            alpha * by_alpha,
            a * (by_a + left / a),
            b * (by_b - odds_by_b),
        ]
    };
    let [value, gradient @ ..] = groups.mean(of);
    (-value, gradient.map(|g| -g))
}

/// The part of the log likelihood without time, and its derivatives by r, a and b.
fn gamma_terms(model: &BgNbd, x: f64) -> [f64; 4] {
    let BgNbd { r, alpha, a, b } = *model;
    let rate = ln_gamma(r + x) - ln_gamma(r) + r * alpha.ln();
    let stay = ln_gamma(a + b) - ln_gamma(b) + ln_gamma(b + x) - ln_gamma(a + b + x);
    let common = digamma(a + b) - digamma(a + b + x);
    [rate + stay, digamma(r + x) - digamma(r) + alpha.ln(), common, common - digamma(b) + digamma(b + x)]
}
