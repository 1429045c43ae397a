//! Distances of distributions: scipy.stats.ks_2samp (1.17.1), the sum written out with NumPy, and the definitions.

use std::collections::BTreeMap;

use crate::support::assert_close;
use analytics::drift::{KolmogorovSmirnov, PopulationStability};
use proptest::prelude::*;

/// How often each sample has each value, in the order of the values.
fn counts(one: &[i32], other: &[i32]) -> Vec<(u64, u64)> {
    let mut counts: BTreeMap<i32, (u64, u64)> = BTreeMap::new();
    one.iter().for_each(|value| counts.entry(*value).or_default().0 += 1);
    other.iter().for_each(|value| counts.entry(*value).or_default().1 += 1);
    counts.into_values().collect()
}

fn ks(one: &[i32], other: &[i32]) -> f64 {
    let mut distance = KolmogorovSmirnov::new(one.len() as u64, other.len() as u64);
    counts(one, other).into_iter().for_each(|(a, b)| distance.add(a, b));
    distance.value()
}

fn psi(expected: &[u64], actual: &[u64]) -> f64 {
    let mut index = PopulationStability::new(expected.iter().sum(), actual.iter().sum());
    expected.iter().zip(actual).for_each(|(e, a)| index.add(*e, *a));
    index.value()
}

#[test]
fn kolmogorov_smirnov_equals_scipy() {
    assert_close("ties", ks(&[1, 2, 2, 3], &[3, 4, 5, 6, 6]), 0.8, 1e-15);
    assert_close("apart", ks(&[1, 2], &[3]), 1.0, 1e-15);
    assert_close("one empty", ks(&[1, 2], &[]), 1.0, 1e-15);
    let then: Vec<i32> = (1..=80).map(|i| i * i * 7 % 83).collect();
    let now: Vec<i32> = then.iter().copied().chain((1..=40).map(|i| 2 * (20 + i * 13 % 47))).collect();
    assert_close("80 and 120", ks(&then, &now), 0.2, 1e-15);
}

#[test]
fn population_stability_is_the_sum() {
    // Shares .5, .3, .2 and .4, .4, .2: (−.1) ln .8 + .1 ln (4/3) + 0.
    assert_close("by hand", psi(&[50, 30, 20], &[40, 40, 20]), 0.1 * (4.0f64 / 3.0).ln() - 0.1 * 0.8f64.ln(), 1e-15);
    // A new category: (.1 − .0001) ln 1000 + (.9 − 1) ln .9.
    let by_hand = (0.1 - 0.0001) * 1000f64.ln() - 0.1 * 0.9f64.ln();
    assert_close("a bin that was empty", psi(&[10, 0], &[9, 1]), by_hand, 1e-15);
    assert_close("the same", psi(&[7, 0, 3], &[70, 0, 30]), 0.0, 1e-15);
}

proptest! {
    #[test]
    fn kolmogorov_smirnov_is_the_largest_distance(
        one in prop::collection::vec(-5i32..5, 1..30),
        other in prop::collection::vec(-4i32..8, 1..30),
    ) {
        let below = |sample: &[i32], at: i32| sample.iter().filter(|v| **v <= at).count() as f64 / sample.len() as f64;
        let largest = (-6..9).map(|at| (below(&one, at) - below(&other, at)).abs()).fold(0.0, f64::max);
        prop_assert!((ks(&one, &other) - largest).abs() < 1e-12);
    }
}
