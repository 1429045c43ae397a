//! What is believed of one proportion: a beta distribution, in the angle asin √p. There every beta is close to a normal of
//! deviation 1 / (2 √(α + β)), has no pole at 0 or 1, and its logarithm needs no gamma function: the density is brought to
//! 1 by its own sum. So counts of millions lose no digits, where continued fractions of the incomplete beta function do.

use std::f64::consts::FRAC_PI_2;

use crate::quadrature::integrate;

/// Panels over the density, and its reach in standard deviations.
const PANELS: usize = 20;
const REACH: f64 = 14.0;

/// Beta(α, β), both ½ or more.
pub(super) struct Posterior {
    alpha: f64,
    beta: f64,
    /// The logarithm of the density at its mode, so that it can neither overflow nor vanish.
    peak: f64,
    /// Ends of the panels in angles, ascending.
    edges: Vec<f64>,
    /// Probability below and above each end.
    below: Vec<f64>,
    above: Vec<f64>,
    scale: f64,
}

impl Posterior {
    pub(super) fn new(alpha: f64, beta: f64) -> Self {
        let centre = (alpha / beta).sqrt().atan();
        let reach = REACH / (2.0 * (alpha + beta).sqrt());
        let (low, high) = ((centre - reach).max(0.0), (centre + reach).min(FRAC_PI_2));
        let edges: Vec<f64> = (0..=PANELS).map(|i| low + (high - low) * i as f64 / PANELS as f64).collect();
        let mode = ((2.0 * alpha - 1.0) / (2.0 * beta - 1.0)).sqrt().atan();
        let mut posterior = Self { alpha, beta, peak: 0.0, edges, below: vec![], above: vec![], scale: 1.0 };
        // Both exponents are 0 for Beta(½, ½), which is flat in the angle.
        posterior.peak = if mode.is_nan() { 0.0 } else { posterior.log_density(mode) };
        let parts: Vec<f64> =
            posterior.edges.windows(2).map(|w| integrate(w[0], w[1], |angle| posterior.density(angle))).collect();
        posterior.scale = 1.0 / parts.iter().sum::<f64>();
        let sums = |parts: &mut dyn Iterator<Item = &f64>| {
            let mut sum = 0.0;
            let mut sums = vec![0.0];
            for part in parts {
                sum += part * posterior.scale;
                sums.push(sum);
            }
            sums
        };
        posterior.below = sums(&mut parts.iter());
        posterior.above = sums(&mut parts.iter().rev());
        posterior.above.reverse();
        posterior
    }

    pub(super) fn mean(&self) -> f64 {
        self.alpha / (self.alpha + self.beta)
    }

    pub(super) fn variance(&self) -> f64 {
        let total = self.alpha + self.beta;
        self.alpha / total * (self.beta / total) / (total + 1.0)
    }

    /// P(self > other).
    pub(super) fn chance_above(&self, other: &Self) -> f64 {
        let edges = self.edges_with(other.edges.iter().copied());
        let chance = sum_over(&edges, |angle| self.density(angle) * other.below(angle));
        chance.min(1.0)
    }

    /// E[max(self − other, 0)] = ∫ P(other < p) P(self > p) dp.
    pub(super) fn expected_excess(&self, other: &Self) -> f64 {
        let (low, high) = (other.edges[0], self.edges[PANELS]);
        let mut edges: Vec<f64> = self.edges.iter().chain(&other.edges).copied().collect();
        edges.retain(|edge| (low..=high).contains(edge));
        edges.sort_by(f64::total_cmp);
        sum_over(&edges, |angle| other.below(angle) * self.above(angle) * (2.0 * angle).sin())
    }

    /// P(transform(self) ≥ other), the chance that `other` is at most some ascending function of this proportion;
    /// `inverse` undoes it. Values outside 0..1 count as 0 or 1.
    pub(super) fn chance_at_most(
        &self,
        other: &Self,
        transform: impl Fn(f64) -> f64,
        inverse: impl Fn(f64) -> f64,
    ) -> f64 {
        let angle_of = |p: f64| p.clamp(0.0, 1.0).sqrt().asin();
        let bends = other.edges.iter().map(|edge| angle_of(inverse(edge.sin().powi(2))));
        let edges = self.edges_with(bends);
        let chance = |angle: f64| self.density(angle) * other.below(angle_of(transform(angle.sin().powi(2))));
        sum_over(&edges, chance).min(1.0)
    }

    /// This distribution's panels, cut again where another function bends.
    fn edges_with(&self, bends: impl Iterator<Item = f64>) -> Vec<f64> {
        let inside = |bend: &f64| *bend > self.edges[0] && *bend < self.edges[PANELS];
        let mut edges: Vec<f64> = self.edges.iter().copied().chain(bends.filter(inside)).collect();
        edges.sort_by(f64::total_cmp);
        edges
    }

    fn log_density(&self, angle: f64) -> f64 {
        let power = |exponent: f64, base: f64| if exponent == 0.0 { 0.0 } else { exponent * base.ln() };
        power(2.0 * self.alpha - 1.0, angle.sin()) + power(2.0 * self.beta - 1.0, angle.cos())
    }

    fn density(&self, angle: f64) -> f64 {
        (self.log_density(angle) - self.peak).exp() * self.scale
    }

    fn below(&self, angle: f64) -> f64 {
        if angle <= self.edges[0] {
            return 0.0;
        }
        if angle >= self.edges[PANELS] {
            return 1.0;
        }
        let panel = self.panel(angle);
        self.below[panel] + integrate(self.edges[panel], angle, |angle| self.density(angle))
    }

    fn above(&self, angle: f64) -> f64 {
        if angle <= self.edges[0] {
            return 1.0;
        }
        if angle >= self.edges[PANELS] {
            return 0.0;
        }
        let panel = self.panel(angle);
        self.above[panel + 1] + integrate(angle, self.edges[panel + 1], |angle| self.density(angle))
    }

    fn panel(&self, angle: f64) -> usize {
        (self.edges.partition_point(|edge| *edge <= angle) - 1).min(PANELS - 1)
    }
}

fn sum_over(edges: &[f64], function: impl Fn(f64) -> f64) -> f64 {
    edges.windows(2).map(|w| integrate(w[0], w[1], &function)).sum()
}
