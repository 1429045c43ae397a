//! How long a customer buys nothing: the hazards of equal periods of the horizon, each the chance that he buys in it who has not
//! before (discrete-time survival: Singer and Willett 1993; for networks Gensheimer and Narasimhan 2019). What is known of
//! somebody for a part of the horizon alone is learnt from, too, and any time within the horizon can be asked for.

use tch::{Kind, Tensor};

use super::logit;
use crate::losses::Loss;
use crate::scaling::Scaling;

/// Log-odds of hazards with which everybody stays away as often as in the training set, the same in each period.
pub(crate) fn start(scaling: &Scaling, periods: usize) -> Vec<f32> {
    vec![logit(1.0 - scaling.rate.powf(1.0 / periods as f32)); periods]
}

/// Mean negative log-likelihood. `raw` `[B, K]`; `days` `[B]` to the purchase where `is_observed` `[B]` is 1, else those in which
/// none was seen, of which only whole periods say something.
pub(crate) fn loss(raw: &Tensor, days: &Tensor, is_observed: &Tensor, horizon_days: f64) -> Loss {
    let [examples, periods] = [raw.size()[0], raw.size()[1]];
    let elapsed = days * (periods as f64 / horizon_days);
    let places = Tensor::arange(periods, (Kind::Float, raw.device()));
    let is_bought = places.eq_tensor(&elapsed.floor().clamp_max((periods - 1) as f64).unsqueeze(1)).to_kind(raw.kind())
        * is_observed.unsqueeze(1);
    // A period is survived where it ends by then; the slack is for days that floats leave of a multiple.
    const SLACK: f64 = 1e-4;
    let is_survived =
        (places + (1.0 - SLACK)).le_tensor(&elapsed.unsqueeze(1)).to_kind(raw.kind()) * (1.0 - &is_bought);
    // With z the log-odds of a hazard, -ln(1 - hazard) = softplus(z) and -ln(hazard) = softplus(-z).
    let terms: Tensor = is_survived * raw.softplus() + is_bought * raw.neg().softplus();
    Loss::of(terms.sum(Kind::Float) / examples.max(1) as f64, examples)
}

/// ln of the probability that nothing is bought within a share of the horizon, from 0 to 1, `[B]`; a hazard is even within
/// its period.
fn log_survival(raw: &Tensor, share: f64) -> Tensor {
    let periods = raw.size()[1];
    let places = Tensor::arange(periods, (Kind::Double, raw.device()));
    let passed = (share * periods as f64 - places).clamp(0.0, 1.0);
    -(raw.to_kind(Kind::Double).softplus() * passed).sum_dim_intlist(1, false, Kind::Double)
}

/// The probability that nothing is bought within a share of the horizon, from 0 to 1, `[B]`.
pub(crate) fn survival(raw: &Tensor, share: f64) -> Tensor {
    log_survival(raw, share).exp()
}

/// The log-odds that nothing is bought in the horizon, `[B]`.
pub(crate) fn log_odds(raw: &Tensor) -> Tensor {
    let log = log_survival(raw, 1.0);
    // ln(1 - e^x), where x may be all but 0.
    let rest = log.expm1().neg().clamp_min(f64::MIN_POSITIVE).log();
    log - rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::tests::{check_close, floats};

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    const RAW: [f64; 6] = [0.3, -1.2, 0.9, -2.0, 0.1, 1.7];

    #[test]
    fn the_loss_is_the_likelihood_of_what_was_seen() {
        let of = |days: [f32; 2], is_observed: [f32; 2]| {
            let raw = Tensor::from_slice(&RAW.map(|x| x as f32)).view([2, 3]);
            let [days, is_observed] = [days, is_observed].map(|side| Tensor::from_slice(&side));
            floats(&loss(&raw, &days, &is_observed, 90.0).value)[0]
        };
        let [a, b, c, d, e, f] = RAW.map(sigmoid);
        let nats = |chances: [f64; 2]| -(chances[0].ln() + chances[1].ln()) / 2.0;
        // Bought in the second and in the first period.
        check_close(&[of([30.0, 0.0], [1.0, 1.0])], &[nats([(1.0 - a) * b, d])], 1e-6);
        // On the last day, and never.
        let never = (1.0 - d) * (1.0 - e) * (1.0 - f);
        check_close(&[of([90.0, 90.0], [1.0, 0.0])], &[nats([(1.0 - a) * (1.0 - b) * c, never])], 1e-6);
        // Watched for two periods and some days, and for less than one.
        check_close(&[of([75.0, 29.0], [0.0, 0.0])], &[nats([(1.0 - a) * (1.0 - b), 1.0])], 1e-6);
    }

    #[test]
    fn any_time_can_be_asked_for() {
        let raw = Tensor::from_slice(&RAW).view([2, 3]);
        let [a, b, c, d, e, f] = RAW.map(sigmoid);
        check_close(&floats(&survival(&raw, 0.0)), &[1.0, 1.0], 1e-12);
        check_close(&floats(&survival(&raw, 2.0 / 3.0)), &[(1.0 - a) * (1.0 - b), (1.0 - d) * (1.0 - e)], 1e-9);
        let half = [(1.0 - a) * (1.0 - b).sqrt(), (1.0 - d) * (1.0 - e).sqrt()];
        check_close(&floats(&survival(&raw, 0.5)), &half, 1e-9);
        let all = [(1.0 - a) * (1.0 - b) * (1.0 - c), (1.0 - d) * (1.0 - e) * (1.0 - f)];
        check_close(&floats(&log_odds(&raw)), &all.map(|p| (p / (1.0 - p)).ln()), 1e-9);
        assert!(floats(&log_odds(&(raw * -1e3))).iter().all(|odds| odds.is_finite()));
    }

    #[test]
    fn it_starts_where_as_many_stay_away() {
        let scaling = Scaling::sample(Vec::new());
        for periods in [1, 6] {
            let raw = Tensor::from_slice(&start(&scaling, periods)).view([1, periods as i64]);
            check_close(&floats(&survival(&raw, 1.0)), &[f64::from(scaling.rate)], 1e-3);
        }
    }
}
