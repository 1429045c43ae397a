//! The Bayesian answer: how probable it is that the treatment is better, and what a wrong choice would cost on average.
//! Nothing is simulated: means have a normal posterior whose answers are closed, rates have beta posteriors that are
//! integrated numerically, so that the same data always give the same digits.

use super::effect::{Difference, Scale};
use super::posterior::Posterior;
use super::sample::{Rate, Sample};
use crate::distributions::{normal_cdf, normal_density, normal_quantile};
use crate::error::{Error, Result, valid_level};

/// What is believed before the data, and how the answer is to be given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bayes {
    pub scale: Scale,
    /// Probability of the credible interval, between 0 and 1; its two tails are equal.
    pub level: f64,
    /// Mean and standard deviation of a normal prior of the effect on `scale`; without one all effects are equally likely.
    /// For means only.
    pub prior_effect: Option<(f64, f64)>,
    /// The beta prior of a rate as successes and failures seen before, ½ or more each; (1, 1) is flat. For rates only.
    pub prior_rate: (f64, f64),
}

impl Default for Bayes {
    fn default() -> Self {
        Self { scale: Scale::default(), level: 0.95, prior_effect: None, prior_rate: (1.0, 1.0) }
    }
}

/// What is believed of an effect after the data; more of the metric is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Median of the effect.
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
    /// Probability that the treatment is better than the control.
    pub chance_to_win: f64,
    /// Expected loss of taking the treatment: E[max(−effect, 0)].
    pub loss_of_treatment: f64,
    /// Expected loss of staying with the control: E[max(effect, 0)].
    pub loss_of_control: f64,
}

const MAX_STEPS: usize = 200;
/// Deviation of a quantile from its probability, in standard deviations, that is left as it is.
const SMALL_ERROR: f64 = 1e-11;

/// The verdict on two means. Fails where neither group varies and for a relative effect over a control mean of 0.
pub fn bayes_means(control: &Sample, treatment: &Sample, bayes: &Bayes) -> Result<Verdict> {
    valid_level(bayes.level)?;
    let data = Difference::of(control, treatment, bayes.scale)?;
    data.standard_error()?;
    let (mean, variance) = match bayes.prior_effect {
        None => (data.estimate, data.variance),
        Some((mean, deviation)) => {
            check_prior(mean, deviation)?;
            let share = data.variance / (data.variance + deviation * deviation);
            (data.estimate + share * (mean - data.estimate), share * deviation * deviation)
        }
    };
    let deviation = variance.sqrt();
    let width = -normal_quantile((1.0 - bayes.level) / 2.0) * deviation;
    let excess = |mean: f64| {
        let z = mean / deviation;
        (deviation * normal_density(z) + mean * normal_cdf(z)).max(0.0)
    };
    Ok(Verdict {
        estimate: mean,
        low: mean - width,
        high: mean + width,
        chance_to_win: normal_cdf(mean / deviation),
        loss_of_treatment: excess(-mean),
        loss_of_control: excess(mean),
    })
}

/// The verdict on two rates. Losses on the relative scale are shares of the control's posterior mean.
pub fn bayes_rates(control: Rate, treatment: Rate, bayes: &Bayes) -> Result<Verdict> {
    valid_level(bayes.level)?;
    let (a, b) = (posterior(control, bayes)?, posterior(treatment, bayes)?);
    let unit = match bayes.scale {
        Scale::Absolute => 1.0,
        Scale::Relative => a.mean(),
    };
    let at = |probability: f64| quantile(&a, &b, bayes.scale, probability);
    let tail = (1.0 - bayes.level) / 2.0;
    Ok(Verdict {
        estimate: at(0.5),
        low: at(tail),
        high: at(1.0 - tail),
        chance_to_win: b.chance_above(&a),
        loss_of_treatment: a.expected_excess(&b) / unit,
        loss_of_control: b.expected_excess(&a) / unit,
    })
}

fn check_prior(mean: f64, deviation: f64) -> Result<()> {
    if !mean.is_finite() {
        return Err(Error::Setting { name: "the prior's mean", value: mean, valid: "a finite number" });
    }
    // Its square must be a number.
    if (1e-100..=1e100).contains(&deviation) {
        return Ok(());
    }
    Err(Error::Setting { name: "the prior's deviation", value: deviation, valid: "between 1e-100 and 1e100" })
}

fn posterior(rate: Rate, bayes: &Bayes) -> Result<Posterior> {
    rate.check()?;
    let (successes, failures) = bayes.prior_rate;
    for value in [successes, failures] {
        if !(value >= 0.5 && value.is_finite()) {
            return Err(Error::Setting { name: "the prior of the rate", value, valid: "0.5 or more and finite" });
        }
    }
    Ok(Posterior::new(successes + rate.successes as f64, failures + (rate.trials - rate.successes) as f64))
}

/// Quantile of the effect of `b` over `a`, of its logarithm if relative. In normal deviates the distribution is almost a
/// straight line, so that a secant inside a bracket needs few steps.
fn quantile(a: &Posterior, b: &Posterior, scale: Scale, probability: f64) -> f64 {
    let (centre, deviation, widest) = match scale {
        Scale::Absolute => (b.mean() - a.mean(), (a.variance() + b.variance()).sqrt(), 1.0),
        Scale::Relative => {
            let relative = |p: &Posterior| p.variance() / (p.mean() * p.mean());
            ((b.mean() / a.mean()).ln(), (relative(a) + relative(b)).sqrt(), 700.0)
        }
    };
    let below = |effect: f64| match scale {
        Scale::Absolute => a.chance_at_most(b, |p| p + effect, |p| p - effect),
        Scale::Relative => a.chance_at_most(b, |p| p * effect.exp(), |p| p * (-effect).exp()),
    };
    let z = normal_quantile(probability);
    let (mut low, mut high) = (-widest, widest);
    let mut at = (centre + z * deviation).clamp(low, high);
    let mut last: Option<(f64, f64)> = None;
    for _ in 0..MAX_STEPS {
        let error = normal_quantile(below(at)) - z;
        if error.abs() <= SMALL_ERROR {
            break;
        }
        if error > 0.0 {
            high = at
        } else {
            low = at
        }
        let slope = last.map_or(deviation, |(x, y)| (at - x) / (error - y));
        let next = at - error * slope;
        let next = if next > low && next < high { next } else { low + (high - low) / 2.0 };
        if next <= low || next >= high {
            break;
        }
        last = Some((at, error));
        at = next;
    }
    match scale {
        Scale::Absolute => at,
        Scale::Relative => at.exp_m1(),
    }
}
