//! Bootstrap intervals: reproducible, paired, and as wide as theory says.

use analytics::bootstrap::{Bootstrap, Interval};
use analytics::metrics::{METRICS, Prepare, metric};
use analytics::{Error, Mean, Statistic};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn scores(rows: usize) -> (Vec<bool>, Vec<f64>) {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    (0..rows)
        .map(|_| (rng.random_bool(0.3), rng.random::<f64>()))
        .map(|(y, s)| (y, s + 0.3 * f64::from(u8::from(y))))
        .unzip()
}

fn prepared(name: &str, labels: &[bool], scores: &[f64]) -> analytics::metrics::Prepared {
    match metric(name).unwrap().prepare {
        Prepare::Labels(of) => of(labels, scores).unwrap(),
        _ => panic!("{name} is not a metric of labels"),
    }
}

/// The standard error of a mean is σ/√n, so the 95 % interval is ±1.96 of it.
#[test]
fn interval_of_a_mean_has_the_width_of_theory() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let values: Vec<f64> = (0..4000).map(|_| rng.random_range(0.0..12f64)).collect();
    let mean = values.iter().sum::<f64>() / 4000.0;
    let bootstrap = Bootstrap { replicates: 4000, ..Bootstrap::default() };
    let found = bootstrap.interval(&Mean::new("values", values).unwrap()).unwrap();
    let half = 1.96 * (12.0f64 * 12.0 / 12.0).sqrt() / 4000f64.sqrt();
    assert!((found.estimate - mean).abs() < 1e-12);
    assert!(((found.high - found.low) / (2.0 * half) - 1.0).abs() < 0.06, "{found:?} for a half width of {half}");
    assert!(((found.high + found.low) / 2.0 - mean).abs() < 0.1 * half);
}

/// The standard error of an AUC, by Hanley & McNeil (1982) for continuous scores: within a fifth.
#[test]
fn interval_of_an_auc_has_the_width_of_theory() {
    let (labels, scores) = scores(2000);
    let found = Bootstrap::default().interval(&prepared("auc", &labels, &scores)).unwrap();
    let a = found.estimate;
    let positives = labels.iter().filter(|&&y| y).count() as f64;
    let negatives = 2000.0 - positives;
    let (q1, q2) = (a / (2.0 - a), 2.0 * a * a / (1.0 + a));
    let variance =
        (a * (1.0 - a) + (positives - 1.0) * (q1 - a * a) + (negatives - 1.0) * (q2 - a * a)) / (positives * negatives);
    let theory = 2.0 * 1.96 * variance.sqrt();
    assert!(((found.high - found.low) / theory - 1.0).abs() < 0.2, "{found:?} against a width of {theory}");
}

/// Two nearly equal models: paired, their difference is far better known than either.
#[test]
fn differences_are_paired() {
    let (labels, scores) = scores(2000);
    let slightly_worse: Vec<f64> = scores.iter().enumerate().map(|(i, s)| s + 0.05 * f64::from(i as u32 % 2)).collect();
    let (model, baseline) = (prepared("auc", &labels, &scores), prepared("auc", &labels, &slightly_worse));
    let bootstrap = Bootstrap::default();
    let alone = bootstrap.interval(&model).unwrap();
    let difference = bootstrap.difference(&model, &baseline).unwrap();
    let width = |i: &Interval| i.high - i.low;
    assert!(width(&difference) < width(&alone) / 3.0, "{difference:?} {alone:?}");
    assert!((difference.estimate - (model.value().unwrap() - baseline.value().unwrap())).abs() < 1e-15);
    assert_eq!(bootstrap.difference(&model, &model), Ok(Interval { estimate: 0.0, low: 0.0, high: 0.0 }));
}

#[test]
fn threads_do_not_change_a_bit_and_seeds_do() {
    let (labels, scores) = scores(500);
    for m in METRICS.iter().filter(|m| matches!(m.prepare, Prepare::Labels(_))) {
        let scores: Vec<f64> = scores.iter().map(|s| s / 1.3).collect();
        let statistic = prepared(m.name, &labels, &scores);
        let with = |threads: usize, seed: u64| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Bootstrap { seed, replicates: 200, ..Bootstrap::default() }.interval(&statistic).unwrap())
        };
        assert_eq!(with(1, 7), with(3, 7), "{}", m.name);
        assert_ne!(with(1, 7), with(1, 8), "{}", m.name);
    }
}

#[test]
fn what_cannot_be_resampled_is_an_error() {
    let statistic = Mean::new("values", vec![1.0, 2.0]).unwrap();
    let with = |replicates, level| Bootstrap { replicates, level, seed: 0 }.interval(&statistic);
    assert!(matches!(with(0, 0.95), Err(Error::Setting { name: "replicates", .. })));
    assert!(matches!(with(10, 1.0), Err(Error::Setting { name: "level", .. })));
    assert!(matches!(with(10, f64::NAN), Err(Error::Setting { name: "level", .. })));
    let other = Mean::new("values", vec![1.0]).unwrap();
    assert!(matches!(Bootstrap::default().difference(&statistic, &other), Err(Error::Length { .. })));
}

/// Two of three rows in one class: a resample lacks the other with probability (2/3)³ + (1/3)³ = 1/3, and is left out;
/// with one row in each, half of the resamples go, and it is by chance which side of one half they fall on.
#[test]
fn resamples_without_a_value_are_left_out() {
    let statistic = prepared("auc", &[true, false, false], &[0.5, 0.4, 0.6]);
    let found = Bootstrap::default().interval(&statistic).unwrap();
    assert_eq!((found.estimate, found.low, found.high), (0.5, 0.0, 1.0));

    struct NeedsEveryRow;
    impl Statistic for NeedsEveryRow {
        fn rows(&self) -> usize {
            5
        }
        fn weighted(&self, weights: &[u32]) -> Option<f64> {
            weights.iter().all(|&w| w == 1).then_some(1.0)
        }
    }
    assert!(matches!(
        Bootstrap::default().interval(&NeedsEveryRow),
        Err(Error::FewReplicates { replicates: 1000, .. })
    ));
}

proptest! {
    #[test]
    fn intervals_are_ordered_and_repeatable(
        values in proptest::collection::vec(-1e3..1e3f64, 1..50), seed in any::<u64>(), level in 0.05..0.99f64,
    ) {
        let (lowest, highest) = values.iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
        let statistic = Mean::new("values", values).unwrap();
        let bootstrap = Bootstrap { replicates: 50, seed, level };
        let found = bootstrap.interval(&statistic).unwrap();
        prop_assert!(lowest - 1e-9 <= found.low && found.low <= found.high && found.high <= highest + 1e-9);
        prop_assert_eq!(bootstrap.interval(&statistic).unwrap(), found);
    }
}
