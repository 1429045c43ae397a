//! What one cut-off means for every customer: which part of the past is known by then, and what the horizon may bring.

use crate::Kind;
use crate::clock::Clock;
use crate::parameters::*;
use crate::shop::{Shop, days};

pub(crate) struct Outlook {
    pub(crate) as_of: f64,
    pub(crate) horizon_end: f64,
    /// Clock of purchases before the cut-off, each hour thinned by the probability that it is known at the cut-off.
    pub(crate) seen: Clock,
    /// The same for sessions.
    pub(crate) seen_sessions: Clock,
    /// Clock of purchases in the horizon, thinned by the probability that they are exported at the end.
    pub(crate) future: Clock,
    /// `future`, thinned by the share of an order that is expected to come back within the horizon.
    pub(crate) net: Clock,
    /// Windows of the campaigns that are sent in the horizon.
    pub(crate) upcoming: Vec<(f64, f64)>,
    /// Per mask of marketing consents.
    chances: Vec<Chances>,
}

/// Which of the upcoming campaigns a customer will receive.
pub(crate) struct Chances {
    /// Probability of each.
    pub(crate) each: Vec<f64>,
    /// Probability of each subset; bit k = the k-th is received.
    pub(crate) subsets: Vec<f64>,
}

impl Outlook {
    pub(crate) fn new(shop: &Shop) -> Self {
        let (as_of, horizon_end, end) = (days(shop.as_of), shop.horizon_end(), days(shop.end));
        let orders = shop.order_delay();
        let future = shop.clock.weighted(|day| orders.known(end - day));
        let net = future.weighted(|day| 1.0 - comes_back(shop.kind, horizon_end - day));
        let upcoming: Vec<_> =
            shop.campaigns.iter().filter(|c| c.sent >= shop.as_of && days(c.sent) < horizon_end).collect();
        let chances = (0..1 << MARKETING.len()).map(|mask| {
            let reached: Vec<(f64, f64)> = upcoming
                .iter()
                .map(|c| (days(c.sent) - as_of, CAMPAIGN_REACH * f64::from(mask >> c.channel as u32 & 1)))
                .collect();
            Chances { each: margins(&reached), subsets: subset_probabilities(&reached) }
        });
        Self {
            as_of,
            horizon_end,
            seen: shop.clock.weighted(|day| orders.known(as_of - day)),
            seen_sessions: shop.clock.weighted(|day| SESSION_DELAY.known(as_of - day)),
            future,
            net,
            chances: chances.collect(),
            upcoming: upcoming.iter().map(|c| c.window()).collect(),
        }
    }

    pub(crate) fn chances(&self, consent_mask: usize) -> &Chances {
        &self.chances[consent_mask]
    }
}

/// Expected share of an order's amount that is reversed within `remaining` days.
fn comes_back(kind: Kind, remaining: f64) -> f64 {
    match kind {
        Kind::Full => {
            CANCELLED * uniform_cdf(CANCELLED_AFTER, remaining)
                + RETURNED * RETURNED_LINE * uniform_cdf(RETURNED_AFTER, remaining)
        }
        Kind::ParetoNbd => 0.0,
    }
}

fn margins(reached: &[(f64, f64)]) -> Vec<f64> {
    reached.iter().map(|(day, probability)| probability * (-WITHDRAWAL * day).exp()).collect()
}

/// `reached`: per campaign in time order, days from now and probability to reach a customer who has not withdrawn.
/// Withdrawal is a hazard, so it takes all campaigns from some point on.
fn subset_probabilities(reached: &[(f64, f64)]) -> Vec<f64> {
    let count = reached.len();
    let mut probabilities = vec![0.0; 1 << count];
    for before in 0..=count {
        let still = |k: usize| if k == 0 { 1.0 } else { (-WITHDRAWAL * reached[k - 1].0).exp() };
        let withdraws_here = still(before) - if before == count { 0.0 } else { still(before + 1) };
        for (subset, probability) in probabilities.iter_mut().enumerate().take(1 << before) {
            let each = (0..before).map(|k| if subset >> k & 1 == 1 { reached[k].1 } else { 1.0 - reached[k].1 });
            *probability += withdraws_here * each.product::<f64>();
        }
    }
    probabilities
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_are_a_distribution_with_the_right_margins() {
        let reached = [(10.0, 0.5), (40.0, 0.0), (70.0, 0.5)];
        let subsets = subset_probabilities(&reached);
        assert!((subsets.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for (k, margin) in margins(&reached).into_iter().enumerate() {
            let summed: f64 = subsets.iter().enumerate().filter(|(s, _)| s >> k & 1 == 1).map(|(_, p)| p).sum();
            assert!((summed - margin).abs() < 1e-12);
        }
    }
}
