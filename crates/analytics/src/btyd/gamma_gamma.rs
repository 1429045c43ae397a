//! Gamma-Gamma: what a purchase of a customer is worth, given the mean of those seen. Each purchase is gamma-distributed
//! around the customer's own mean, and these are inverse-gamma over customers; how often someone buys says nothing
//! about how much. Fader & Hardie, "The Gamma-Gamma Model of Monetary Value" (2013).

use rayon::prelude::*;
use statrs::function::gamma::{digamma, ln_gamma};

use super::optimise::minimise;
use super::{Summary, check_parameters, summary};
use crate::error::{Error, Result};

/// Value of a purchase ~ Gamma(p, rate ν), ν ~ Gamma(q, rate v). `v` is in the unit of the value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GammaGamma {
    pub p: f64,
    pub q: f64,
    pub v: f64,
}

/// Bounds of ln p, ln(q − 1) and ln v (in mean values). The mean value of a customer exists for q > 1 only; the lower
/// bound of q keeps heavy-tailed data from expecting fortunes of customers with no history.
const BOUNDS: [(f64, f64); 3] = [(-7.0, 9.0), (-2.3, 7.0), (-9.0, 9.0)];
/// Customers used to choose the start of the fit on all of them.
const SAMPLE: usize = 4000;
/// Rows evaluated by one thread at a time; fixed, because it fixes the order of addition.
const CHUNK: usize = 512;

impl GammaGamma {
    /// The parameters, all positive and q above 1.
    pub fn new(p: f64, q: f64, v: f64) -> Result<Self> {
        check_parameters([("p", p), ("q", q), ("v", v)])?;
        if q <= 1.0 {
            return Err(Error::Setting { name: "q", value: q, valid: "above 1, for a mean to exist" });
        }
        Ok(Self { p, q, v })
    }

    /// Maximum likelihood over the customers with repeat purchases of positive value; the others say nothing of value.
    /// Fails for no customers, an impossible history, or when none is left.
    pub fn fit(customers: &[Summary]) -> Result<Self> {
        summary::check_all(customers)?;
        let mut buyers: Vec<(f64, f64)> =
            customers.iter().filter(|c| is_informative(c)).map(|c| (c.x, c.value)).collect();
        if buyers.is_empty() {
            return Err(Error::NoRepeatPurchase {
                customers: customers.len(),
                what: "a second time for a positive value",
            });
        }
        let mean = buyers.iter().map(|(_, value)| value).sum::<f64>() / buyers.len() as f64;
        buyers.iter_mut().for_each(|(_, value)| *value /= mean);
        buyers.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let start = |p: f64, above: f64| [p.ln(), above.ln(), (above / p).ln()];
        let starts = [start(2.0, 2.0), start(6.0, 3.0), start(0.7, 1.0)];
        let sample: Vec<(f64, f64)> = buyers.iter().step_by(buyers.len().div_ceil(SAMPLE)).copied().collect();
        let found = minimise(|at| objective(&buyers, at), |at| objective(&sample, at), &BOUNDS, starts);
        let [p, above, v] = found.map(f64::exp);
        Ok(Self { p, q: 1.0 + above, v: v * mean })
    }

    /// Log likelihood of one customer's mean value; 0 for one whose history says nothing of value.
    pub fn log_likelihood(&self, c: &Summary) -> f64 {
        if !is_informative(c) {
            return 0.0;
        }
        let Self { p, q, v } = *self;
        let (px, total) = (p * c.x, c.x * c.value);
        ln_gamma(px + q) - ln_gamma(px) - ln_gamma(q) + q * v.ln() - c.value.ln() + px * total.ln()
            - (px + q) * (v + total).ln()
    }

    /// Expected value of one future purchase: between the customer's own mean and that of all, the nearer to his own the
    /// more purchases were seen.
    pub fn expected_value(&self, c: &Summary) -> f64 {
        let x = if is_informative(c) { c.x } else { 0.0 };
        self.p * (self.v + x * c.value) / (self.p * x + self.q - 1.0)
    }
}

fn is_informative(c: &Summary) -> bool {
    c.x > 0.0 && c.value > 0.0
}

/// Negative mean log likelihood and its gradient by ln p, ln(q − 1), ln v, of (x, mean value) sorted by x.
fn objective(buyers: &[(f64, f64)], at: &[f64; 3]) -> (f64, [f64; 3]) {
    let [p, above, v] = at.map(f64::exp);
    let q = 1.0 + above;
    let (ln_gamma_q, digamma_q, ln_v) = (ln_gamma(q), digamma(q), v.ln());
    let part = |rows: &[(f64, f64)]| {
        let mut sum = [0.0; 4];
        for same in rows.chunk_by(|a, b| a.0 == b.0) {
            let x = same[0].0;
            let px = p * x;
            let constant = ln_gamma(px + q) - ln_gamma(px) - ln_gamma_q + q * ln_v;
            let (psi_all, psi_px) = (digamma(px + q), digamma(px));
            for &(_, value) in same {
                let total = x * value;
                let (ln_total, ln_sum) = (total.ln(), (v + total).ln());
                sum[0] += constant - value.ln() + px * ln_total - (px + q) * ln_sum;
                sum[1] += px * (psi_all - psi_px + ln_total - ln_sum);
                sum[2] += above * (psi_all - digamma_q + ln_v - ln_sum);
                sum[3] += q - v * (px + q) / (v + total);
            }
        }
        sum
    };
    let parts: Vec<[f64; 4]> = buyers.par_chunks(CHUNK).map(part).collect();
    let mut mean = [0.0; 4];
    for part in parts {
        mean.iter_mut().zip(part).for_each(|(mean, value)| *mean -= value / buyers.len() as f64);
    }
    let [value, gradient @ ..] = mean;
    (value, gradient)
}
