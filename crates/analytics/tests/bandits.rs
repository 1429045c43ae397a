//! Bandits against MABWiser (`bandits.csv`), against brute force, and on logs whose truth is known.

use crate::support::{assert_close, numbers, oracle};
use analytics::Error;
use analytics::bandits::{Estimator, Log, OffPolicy, Policy, Replay, off_policy, replay, reward_model};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// A log that owns its columns.
#[derive(Debug, Clone, Default)]
struct Rows {
    arms: usize,
    shown: Vec<usize>,
    rewards: Vec<f64>,
    contexts: Vec<f64>,
    propensities: Vec<f64>,
}

impl Rows {
    fn log(&self) -> Log<'_> {
        let Self { arms, shown, rewards, contexts, propensities } = self;
        let columns = contexts.len() / shown.len().max(1);
        Log { arms: *arms, shown, rewards, contexts, columns, propensities }
    }
}

fn logged() -> Rows {
    let mut rows = Rows { arms: 3, ..Rows::default() };
    for n in oracle("bandit_log.csv").iter().map(|row| numbers(row)) {
        rows.shown.push(n[0] as usize);
        rows.rewards.push(n[1]);
        rows.contexts.extend(&n[2..4]);
        rows.propensities.push(n[4]);
    }
    rows
}

const ALL: [Policy; 5] = [
    Policy::Ucb1 { alpha: 1.0 },
    Policy::EpsilonGreedy { epsilon: 0.1 },
    Policy::ThompsonBeta { prior: (1.0, 1.0) },
    Policy::ThompsonNormal { mean: 0.0, deviation: 1.0, noise: 0.5 },
    Policy::LinUcb { alpha: 0.5, l2: 1.0 },
];

#[test]
fn ucb1_decides_as_mabwiser_row_by_row() {
    let mut rows = logged();
    rows.propensities.clear();
    let replayed = replay(&rows.log(), &Policy::Ucb1 { alpha: 1.25 }, &Replay::default()).unwrap();
    assert_eq!(replayed.choices[..3], [0, 1, 2], "arms that are new come first");
    let expected = oracle("bandits.csv");
    assert_eq!(expected.len(), 397);
    for row in &expected {
        let at: usize = row[0].parse().unwrap();
        assert_eq!(replayed.choices[at], row[1].parse::<usize>().unwrap(), "row {at}");
    }
    let kept: Vec<f64> = (0..400).filter(|&i| replayed.choices[i] == rows.shown[i]).map(|i| rows.rewards[i]).collect();
    assert_eq!(replayed.matches, kept.len());
    assert_close("mean", replayed.estimate, kept.iter().sum::<f64>() / kept.len() as f64, 1e-15);
    assert!(replayed.low < replayed.estimate && replayed.estimate < replayed.high);
}

#[test]
fn lin_ucb_expects_what_mabwiser_does() {
    let rows = logged();
    let mut learner = Policy::LinUcb { alpha: 0.7, l2: 0.5 }.learner(3, 2, 0).unwrap();
    let mut seen = 0;
    for row in oracle("bandits.csv").iter().filter(|row| !row[2].is_empty()) {
        let at: usize = row[0].parse().unwrap();
        for i in seen..=at {
            learner.learn(&rows.contexts[2 * i..2 * i + 2], rows.shown[i], rows.rewards[i]);
        }
        seen = at + 1;
        let found = learner.ratings(&rows.contexts[2 * at..2 * at + 2]);
        for (found, expected) in found.iter().zip(numbers(&row[2..])) {
            assert_close(&format!("row {at}"), *found, expected, 1e-12);
        }
    }
    assert_eq!(seen, 400);
}

/// Rewards 0 or 1 with these chances, arms shown with those.
fn simulated(seed: u64, rows: usize, chances: [f64; 3], shares: [f64; 3]) -> Rows {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut log = Rows { arms: 3, ..Rows::default() };
    for _ in 0..rows {
        let u: f64 = rng.random();
        let arm = if u < shares[0] {
            0
        } else if u < shares[0] + shares[1] {
            1
        } else {
            2
        };
        let x: f64 = rng.random_range(-1.0..1.0);
        log.shown.push(arm);
        log.rewards.push(f64::from(u8::from(rng.random_bool(chances[arm] + if arm == 0 { 0.2 * x } else { 0.0 }))));
        log.contexts.extend([1.0, x]);
        log.propensities.push(shares[arm]);
    }
    log
}

#[test]
fn every_policy_finds_the_best_arm_and_repeats_itself() {
    let rows = simulated(1, 20_000, [0.3, 0.7, 0.4], [0.6, 0.2, 0.2]);
    for policy in ALL {
        let replayed = replay(&rows.log(), &policy, &Replay::default()).unwrap();
        let late = replayed.choices[10_000..].iter().filter(|&&arm| arm == 1).count();
        assert!(late > 8_500, "{policy:?} chose the best arm {late} times of the last 10,000");
        assert!(replayed.high > 0.6 && replayed.estimate < 0.75, "{policy:?}: {}", replayed.estimate);
        assert_eq!(replayed, replay(&rows.log(), &policy, &Replay::default()).unwrap());
    }
}

/// A policy that shows any arm with equal chance earns the mean of the arms, however the log was drawn.
#[test]
fn a_replay_is_unbiased_for_arms_of_unequal_chance() {
    let rows = simulated(2, 60_000, [0.3, 0.7, 0.5], [0.7, 0.2, 0.1]);
    let replayed = replay(&rows.log(), &Policy::EpsilonGreedy { epsilon: 1.0 }, &Replay::default()).unwrap();
    assert_close("mean", replayed.estimate, 0.5, 0.02);
    assert!(replayed.low < 0.5 && 0.5 < replayed.high);
    let twenty = Replay { level: 0.2, ..Replay::default() };
    let narrow = replay(&rows.log(), &Policy::EpsilonGreedy { epsilon: 1.0 }, &twenty).unwrap();
    assert!(narrow.high - narrow.low < 0.3 * (replayed.high - replayed.low));
}

/// The policy shows arm 0 where the context is positive (value .3 + .1) and arm 2 elsewhere (.4).
#[test]
fn off_policy_intervals_cover_the_value_of_the_policy() {
    for estimator in [Estimator::Ips, Estimator::SelfNormalised, Estimator::DoublyRobust] {
        let covers = |seed: u64| {
            let rows = simulated(seed, 600, [0.3, 0.7, 0.4], [0.3, 0.4, 0.3]);
            let target = |x: &[f64]| if x[1] > 0.0 { [1.0, 0.0, 0.0] } else { [0.0, 0.0, 1.0] };
            let target: Vec<f64> = rows.contexts.chunks(2).flat_map(target).collect();
            let value = off_policy(&rows.log(), &target, &OffPolicy { estimator, ..OffPolicy::default() }).unwrap();
            (f64::from(u8::from(value.low <= 0.4 && 0.4 <= value.high)), value.high - value.low)
        };
        let replays: Vec<(f64, f64)> = (0..2000u64).into_par_iter().map(covers).collect();
        let covered = replays.iter().map(|r| r.0).sum::<f64>() / 2000.0;
        assert_close(&format!("coverage of {estimator:?}"), covered, 0.95, 0.01);
        let width = replays.iter().map(|r| r.1).sum::<f64>() / 2000.0;
        let (least, most) = if estimator == Estimator::Ips { (0.15, 0.19) } else { (0.11, 0.16) };
        assert!((least..most).contains(&width), "mean width of {estimator:?}: {width}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let good = Rows { arms: 2, shown: vec![0, 1, 1], rewards: vec![1.0, 0.0, 1.0], ..Rows::default() };
    let ucb = Policy::Ucb1 { alpha: 1.0 };
    let of = |change: fn(&mut Rows)| {
        let mut rows = good.clone();
        change(&mut rows);
        replay(&rows.log(), &ucb, &Replay::default()).unwrap_err()
    };
    assert_eq!(of(|r| *r = Rows { arms: 2, ..Rows::default() }), Error::Empty { what: "the log" });
    assert!(matches!(of(|r| r.shown[2] = 2), Error::Value { what: "arm", row: 2, .. }));
    assert!(matches!(of(|r| r.rewards[1] = f64::NAN), Error::Value { what: "reward", row: 1, .. }));
    assert!(matches!(of(|r| r.propensities = vec![0.5, 0.0, 1.0]), Error::Value { what: "propensity", row: 1, .. }));
    assert!(matches!(of(|r| r.propensities = vec![0.5]), Error::Length { .. }));
    assert!(matches!(of(|r| r.contexts = vec![0.5, f64::INFINITY, 1.0]), Error::Value { what: "context", row: 1, .. }));
    assert!(matches!(of(|r| r.shown = vec![1, 0, 0]), Error::Undefined { .. }));
    for policy in [
        Policy::Ucb1 { alpha: f64::NAN },
        Policy::EpsilonGreedy { epsilon: 1.1 },
        Policy::ThompsonBeta { prior: (0.0, 1.0) },
        Policy::ThompsonNormal { mean: 0.0, deviation: 1.0, noise: 0.0 },
        Policy::LinUcb { alpha: 1.0, l2: 0.0 },
    ] {
        assert!(matches!(policy.learner(2, 1, 0), Err(Error::Setting { .. })), "{policy:?}");
    }
    assert!(Policy::LinUcb { alpha: 1.0, l2: 1.0 }.learner(2, 0, 0).is_err() && ucb.learner(0, 0, 0).is_err());
    let large = Rows { rewards: vec![2.0; 3], ..good.clone() };
    let beta = replay(&large.log(), &Policy::ThompsonBeta { prior: (1.0, 1.0) }, &Replay::default());
    assert!(matches!(beta, Err(Error::Value { row: 0, .. })));
    let value = |target: &[f64]| off_policy(&good.log(), target, &OffPolicy::default());
    assert!(matches!(value(&[1.0, 0.0]), Err(Error::Length { .. })));
    assert!(matches!(value(&[1.0, 0.0, 1.0, 0.0, -0.5, 1.5]), Err(Error::Value { row: 2, .. })));
    assert!(matches!(value(&[1.0, 0.0, 1.0, 0.5, 1.0, 0.0]), Err(Error::Value { row: 1, .. })));
    assert!(matches!(value(&[0.0, 1.0, 1.0, 0.0, 1.0, 0.0]), Err(Error::Undefined { .. })));
    assert!(reward_model(&good.log(), 1, 1.0).is_err() && reward_model(&good.log(), 2, 0.0).is_err());
}

/// One logged row as the tests below draw it: arm, reward, context, propensity, probabilities of arm 0 in the target.
type Drawn = (usize, f64, f64, f64, f64);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let row = (0..2usize, -3.0..3.0f64, -1.0..1.0f64, 0.05..1.0f64, 0.0..1.0f64);
    proptest::collection::vec(row, 3..40)
}

proptest! {
    #[test]
    fn estimates_are_their_definitions(drawn in drawn()) {
        let rows = Rows {
            arms: 2,
            shown: drawn.iter().map(|d| d.0).collect(),
            rewards: drawn.iter().map(|d| d.1).collect(),
            contexts: drawn.iter().map(|d| d.2).collect(),
            propensities: drawn.iter().map(|d| d.3).collect(),
        };
        let target: Vec<f64> = drawn.iter().flat_map(|d| [d.4, 1.0 - d.4]).collect();
        let n = drawn.len() as f64;
        let w: Vec<f64> = drawn.iter().map(|d| if d.0 == 0 { d.4 / d.3 } else { (1.0 - d.4) / d.3 }).collect();
        let total: f64 = w.iter().sum();
        prop_assume!(total > 1e-6);
        let value = |estimator| off_policy(&rows.log(), &target, &OffPolicy { estimator, ..OffPolicy::default() }).unwrap();
        let ips: Vec<f64> = w.iter().zip(&rows.rewards).map(|(w, r)| w * r).collect();
        let mean = ips.iter().sum::<f64>() / n;
        prop_assert!((value(Estimator::Ips).estimate - mean).abs() < 1e-12);
        let variance = ips.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / (n - 1.0) / n;
        prop_assert!((value(Estimator::Ips).standard_error - variance.sqrt()).abs() < 1e-12);
        let normalised = value(Estimator::SelfNormalised);
        prop_assert!((normalised.estimate - ips.iter().sum::<f64>() / total).abs() < 1e-12);
        let squares: f64 = w.iter().map(|w| w * w).sum();
        prop_assert!((normalised.effective_rows - total * total / squares).abs() < 1e-9 * n);
        let q = reward_model(&rows.log(), 5, 1.0).unwrap();
        let robust: f64 = (0..drawn.len())
            .map(|i| target[2 * i] * q[2 * i] + target[2 * i + 1] * q[2 * i + 1]
                + w[i] * (rows.rewards[i] - q[2 * i + rows.shown[i]]))
            .sum();
        prop_assert!((value(Estimator::DoublyRobust).estimate - robust / n).abs() < 1e-10);
    }

    /// A row's expected reward does not depend on its own reward, and a single column's ridge has a closed form.
    #[test]
    fn the_reward_model_is_a_ridge_of_the_other_folds(drawn in drawn(), fold in 0..3usize) {
        let rows = Rows {
            arms: 2,
            shown: drawn.iter().map(|d| d.0).collect(),
            rewards: drawn.iter().map(|d| d.1).collect(),
            contexts: drawn.iter().map(|d| d.2).collect(),
            ..Rows::default()
        };
        let model = reward_model(&rows.log(), 3, 0.5).unwrap();
        let others: Vec<&Drawn> = drawn.iter().enumerate().filter(|(i, _)| i % 3 != fold).map(|(_, d)| d).collect();
        for arm in 0..2 {
            let own: Vec<&Drawn> = others.iter().copied().filter(|d| d.0 == arm).collect();
            let from = if own.is_empty() { &others } else { &own };
            let mean = |of: fn(&Drawn) -> f64| from.iter().map(|d| of(d)).sum::<f64>() / from.len() as f64;
            let (x, y) = (mean(|d| d.2), mean(|d| d.1));
            let xy: f64 = own.iter().map(|d| (d.2 - x) * (d.1 - y)).sum();
            let xx: f64 = own.iter().map(|d| (d.2 - x).powi(2)).sum();
            for i in (fold..drawn.len()).step_by(3) {
                let expected = y + xy / (xx + 0.5) * (drawn[i].2 - x);
                prop_assert!((model[2 * i + arm] - expected).abs() < 1e-10);
            }
        }
    }

    #[test]
    fn no_log_makes_a_policy_fail(drawn in drawn(), seed: u64) {
        let rows = Rows {
            arms: 2,
            shown: drawn.iter().map(|d| d.0).collect(),
            rewards: drawn.iter().map(|d| d.1.abs() / 3.0).collect(),
            contexts: drawn.iter().map(|d| d.2 * 1e6).collect(),
            propensities: drawn.iter().map(|d| d.3).collect(),
        };
        for policy in ALL {
            match replay(&rows.log(), &policy, &Replay { seed, ..Replay::default() }) {
                Ok(replayed) => prop_assert!(replayed.low <= replayed.high && replayed.matches >= 2),
                Err(error) => prop_assert!(matches!(error, Error::Undefined { .. }), "{error}"),
            }
        }
    }
}
