//! Pareto/NBD: purchases at a gamma-distributed rate until the customer leaves, at any moment, at another
//! gamma-distributed rate. Schmittlein, Morrison, Colombo (1987). The published likelihood is a difference of two
//! 2F1 functions that cancel or overflow; here it is the integral over the time of leaving that they stand for, taken by
//! Gauss-Legendre in logarithmic time: every term is positive, and the gradient comes out of the same pass.

use statrs::function::gamma::{digamma, ln_gamma};

use super::group::{Group, Groups};
use super::optimise::minimise;
use super::{Forecast, NEW, PurchaseModel, Summary, check_parameters};
use crate::error::Result;
use crate::quadrature::NODES;

/// Purchase rate ~ Gamma(r, rate alpha); rate of leaving ~ Gamma(s, rate beta); both per unit of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParetoNbd {
    pub r: f64,
    pub alpha: f64,
    pub s: f64,
    pub beta: f64,
}

/// Bounds of the logarithm of each parameter, alpha and beta in mean ages.
const BOUNDS: [(f64, f64); 4] = [(-9.0, 9.0); 4];
/// Histories used to choose the start of the fit on all of them.
const SAMPLE: usize = 4000;
/// Decay (in nats) after which the integrand is cut off, and the most that one panel of nodes may span.
const CUT: f64 = 36.0;
const PANEL_DECAY: f64 = 12.0;
/// Longest panel in logarithmic time.
const PANEL_LENGTH: f64 = 2.0;

impl ParetoNbd {
    /// The parameters, which are all positive.
    pub fn new(r: f64, alpha: f64, s: f64, beta: f64) -> Result<Self> {
        check_parameters([("r", r), ("alpha", alpha), ("s", s), ("beta", beta)])?;
        Ok(Self { r, alpha, s, beta })
    }

    /// Maximum likelihood. Fails for no customers, an impossible history, or when nobody bought twice.
    pub fn fit(customers: &[Summary]) -> Result<Self> {
        let groups = Groups::new(customers)?;
        let start = |r: f64, s: f64, beta: f64| [r, r / groups.mean_x, s, beta].map(f64::ln);
        let starts = [start(0.5, 0.5, 0.5), start(2.0, 0.5, 2.0), start(0.5, 2.0, 4.0)];
        let sample = groups.sample(SAMPLE);
        let found = minimise(|at| objective(&groups, at), |at| objective(&sample, at), &BOUNDS, starts);
        let [r, alpha, s, beta] = found.map(f64::exp);
        Ok(Self { r, alpha: alpha * groups.mean_age, s, beta: beta * groups.mean_age })
    }

    /// Purchases that a new customer makes after the first, in `duration`.
    pub fn expected_of_new(&self, duration: f64) -> f64 {
        self.expected(&NEW, duration)
    }

    /// ln Γ(r + x)/Γ(r) · α^r β^s (α + t_x)^−(r+x) (β + t_x)^−s: the likelihood up to the last purchase.
    fn log_until_last(&self, c: &Summary) -> f64 {
        let Self { r, alpha, s, beta } = *self;
        let n = r + c.x;
        ln_gamma(n) - ln_gamma(r) + r * (alpha / (alpha + c.t_x)).ln()
            - c.x * (alpha + c.t_x).ln()
            - s * (c.t_x / beta).ln_1p()
    }

    /// The silence after the last purchase, relative to `log_until_last`: by customers still active, and by those who
    /// left at each moment y in it.
    fn silence(&self, c: &Summary) -> Silence {
        let Self { r, alpha, s, beta } = *self;
        let n = r + c.x;
        let gap = c.t - c.t_x;
        let (ln_alpha, ln_beta) = ((gap / (alpha + c.t_x)).ln_1p(), (gap / (beta + c.t_x)).ln_1p());
        let active = (-n * ln_alpha - s * ln_beta).exp();
        if gap <= 0.0 {
            return Silence { active, ..Silence::default() };
        }
        // In w = ln((γ + y)/(γ + t_x)) with γ the smaller of α and β the integrand is smooth and log-concave.
        let is_alpha = alpha <= beta;
        let (near, far) = (alpha.min(beta) + c.t_x, alpha.max(beta) + c.t_x);
        let (by_near, by_far) = if is_alpha { (n, s) } else { (s, n) };
        let beyond = |decay: f64, rate: f64| rate * (CUT / decay).min(700.0).exp_m1();
        let reach = gap.min(beyond(by_near, near)).min(beyond(by_far, far));
        let length = (reach / near).ln_1p();
        let decay = by_near * length + by_far * (reach / far).ln_1p();
        let panels = (decay / PANEL_DECAY).max(length / PANEL_LENGTH).floor() + 1.0;
        let width = length / panels;
        // left, ln near, ln far, per near, per far
        let mut sums = [0.0; 5];
        for panel in 0..panels as usize {
            for (node, weight) in *NODES {
                let ln_near = (panel as f64 + node) * width;
                let growth = ln_near.exp();
                let near_y = near * growth;
                let far_y = far + near * (growth - 1.0);
                let ln_far = (far_y / far).ln();
                let beta_y = if is_alpha { far_y } else { near_y };
                let mass = weight * width * near_y / beta_y * (-by_near * ln_near - by_far * ln_far).exp();
                let moments = [1.0, ln_near, ln_far, 1.0 / near_y, 1.0 / far_y];
                sums.iter_mut().zip(moments).for_each(|(sum, moment)| *sum += mass * moment);
            }
        }
        let [left, ln_near, ln_far, per_near, per_far] = sums;
        if is_alpha {
            Silence { active, left, ln_alpha: ln_near, ln_beta: ln_far, per_alpha: per_near, per_beta: per_far }
        } else {
            Silence { active, left, ln_alpha: ln_far, ln_beta: ln_near, per_alpha: per_far, per_beta: per_near }
        }
    }

    /// Purchases in the horizon of a customer active at its beginning: equation 41 of Fader & Hardie, "A Note on Deriving
    /// the Pareto/NBD Model" (2005), with its limit at s = 1.
    fn expected_if_active(&self, c: &Summary, horizon: f64) -> f64 {
        let Self { r, alpha, s, beta } = *self;
        let ln_older = (horizon / (beta + c.t)).ln_1p();
        let active_time = if s == 1.0 { ln_older } else { -((1.0 - s) * ln_older).exp_m1() / (s - 1.0) };
        (r + c.x) * (beta + c.t) / (alpha + c.t) * active_time
    }
}

/// Mass of the ways in which a customer can have been silent. The last five are integrals over the time of leaving,
/// without the factor s: 1, ln((α+y)/(α+t_x)), ln((β+y)/(β+t_x)), 1/(α+y), 1/(β+y).
#[derive(Default)]
struct Silence {
    active: f64,
    left: f64,
    ln_alpha: f64,
    ln_beta: f64,
    per_alpha: f64,
    per_beta: f64,
}

impl Silence {
    fn total(&self, s: f64) -> f64 {
        self.active + s * self.left
    }
}

impl PurchaseModel for ParetoNbd {
    fn log_likelihood(&self, c: &Summary) -> f64 {
        self.log_until_last(c) + self.silence(c).total(self.s).ln()
    }

    fn p_alive(&self, c: &Summary) -> f64 {
        let silence = self.silence(c);
        silence.active / silence.total(self.s)
    }

    fn expected(&self, c: &Summary, horizon: f64) -> f64 {
        self.p_alive(c) * self.expected_if_active(c, horizon)
    }

    /// As the single answers, with two integrals where they take five.
    fn outlook(&self, c: &Summary, horizon: f64) -> Forecast {
        let (now, later) = (self.silence(c), self.silence(&c.later(horizon)));
        let p_alive = now.active / now.total(self.s);
        Forecast {
            expected: p_alive * self.expected_if_active(c, horizon),
            p_alive,
            p_zero: (later.total(self.s) / now.total(self.s)).min(1.0),
        }
    }
}

/// Negative mean log likelihood and its gradient, by the logarithms of the parameters.
fn objective(groups: &Groups, at: &[f64; 4]) -> (f64, [f64; 4]) {
    let [r, alpha, s, beta] = at.map(f64::exp);
    let model = ParetoNbd { r, alpha, s, beta };
    // The gamma functions depend on x only, of which there are few.
    let gamma = |&x: &f64| (ln_gamma(r + x) - ln_gamma(r), digamma(r + x) - digamma(r));
    let by_count: Vec<(f64, f64)> = groups.counts.iter().map(gamma).collect();
    let of = |group: &Group| {
        let c = &group.history;
        let (ln_count, count_by_r) = by_count[group.count];
        let n = r + c.x;
        let gap = c.t - c.t_x;
        let (from_alpha, from_beta) = (alpha + c.t_x, beta + c.t_x);
        let (old_alpha, old_beta) = ((alpha / from_alpha).ln(), (beta / from_beta).ln());
        let silence = model.silence(c);
        let total = silence.total(s);
        let (active, left) = (silence.active / total, s / total);
        let ln_alpha = active * (gap / from_alpha).ln_1p() + left * silence.ln_alpha;
        let ln_beta = active * (gap / from_beta).ln_1p() + left * silence.ln_beta;
        let per_alpha = active / (alpha + c.t) + left * silence.per_alpha;
        let per_beta = active * s / (beta + c.t) + left * (s + 1.0) * silence.per_beta;
        [
            ln_count + r * old_alpha - c.x * from_alpha.ln() + s * old_beta + total.ln(),
            r * (count_by_r + old_alpha - ln_alpha),
            r - alpha * n * per_alpha,
            s * (old_beta - ln_beta) + left * silence.left,
            s - beta * per_beta,
        ]
    };
    let [value, gradient @ ..] = groups.mean(of);
    (-value, gradient.map(|g| -g))
}
