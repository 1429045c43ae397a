//! Gaussian mixtures against scikit-learn and their own optimality conditions.

use super::{corners, expected, iris, on_threads};
use crate::support::{assert_close, assert_relative};
use analytics::Error;
use analytics::clustering::mixture::Mixture;
use proptest::prelude::*;

fn settled(components: usize) -> Mixture {
    Mixture { components, tolerance: 1e-12, max_iterations: 10_000, ..Mixture::default() }
}

/// Likelihood and BIC of scikit-learn, both run until nothing changes.
#[test]
fn iris_has_the_likelihood_of_scikit_learn() {
    for k in 1..=3 {
        let found = settled(k).fit(&iris(), 4).unwrap();
        assert!(found.converged);
        assert_relative("log likelihood", found.log_likelihood, expected(&format!("mixture_log_likelihood_{k}")), 1e-8);
        assert_relative("BIC", found.bic, expected(&format!("mixture_bic_{k}")), 1e-8);
    }
}

/// Components by the mean of their first column.
#[test]
fn parameters_equal_scikit_learn() {
    let found = settled(3).fit(&iris(), 4).unwrap();
    let mut order: Vec<usize> = (0..3).collect();
    order.sort_by(|&a, &b| found.means[a * 4].total_cmp(&found.means[b * 4]));
    for (i, c) in order.into_iter().enumerate() {
        assert_close("weight", found.weights[c], expected(&format!("mixture_weight_{i}")), 1e-5);
        for j in 0..4 {
            assert_close("mean", found.means[c * 4 + j], expected(&format!("mixture_mean_{i}{j}")), 1e-5);
        }
        let covariance = &found.covariances[c * 16..][..16];
        assert_close("covariance", covariance[3], expected(&format!("mixture_covariance_{i}")), 1e-5);
        assert_close("variance", covariance[10], expected(&format!("mixture_variance_{i}")), 1e-5);
        assert_eq!(covariance[3], covariance[12]);
    }
}

#[test]
fn one_row_and_columns_without_information_work() {
    let one = Mixture { components: 1, ..Mixture::default() }.fit(&[3.0, 4.0], 2).unwrap();
    assert_eq!((one.labels, one.responsibilities), (vec![0], vec![1.0]));
    let mut x = corners(50, 4);
    // The third column is constant, the fourth a large multiple of the first.
    x.chunks_mut(4).for_each(|row| (row[2], row[3]) = (1.0, 1e9 * row[0]));
    let found = Mixture { components: 4, ..Mixture::default() }.fit(&x, 4).unwrap();
    assert!(found.log_likelihood.is_finite() && found.responsibilities.iter().all(|r| (0.0..=1.0).contains(r)));
    let equal = Mixture { components: 3, ..Mixture::default() };
    let extremes = [1e100, -1e100, 0.0, 1e-100, 1.0, 1.0, 1e100, 2.0];
    for (x, regularisation) in [(&[7.0; 8], 1e-6), (&[7.0; 8], 1e-50), (&extremes, 1e-50), (&extremes, 1e50)] {
        let found = Mixture { regularisation, ..equal }.fit(x, 2).unwrap();
        assert!(found.log_likelihood.is_finite() && found.means.iter().all(|m| m.is_finite()), "{found:?}");
        assert!(found.responsibilities.iter().all(|r| (0.0..=1.0).contains(r)), "{found:?}");
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let x = corners(2000, 3);
    let fit = || Mixture { components: 4, ..Mixture::default() }.fit(&x, 3).unwrap();
    assert_eq!(on_threads(1, fit), on_threads(3, fit));
}

#[test]
fn errors_say_what_is_wrong() {
    let mixture = Mixture { components: 4, ..Mixture::default() };
    assert_eq!(mixture.fit(&[1.0; 6], 2), Err(Error::ClusterCount { clusters: 4, rows: 3 }));
    assert!(matches!(mixture.fit(&[1.0, f64::NAN], 2), Err(Error::Cell { row: 0, column: 1, .. })));
    let found = Mixture { regularisation: 0.0, ..mixture }.fit(&[1.0; 8], 2);
    assert!(matches!(found, Err(Error::Setting { name: "regularisation", .. })));
    assert!(matches!(Mixture { tolerance: f64::NAN, ..mixture }.fit(&[1.0; 8], 2), Err(Error::Setting { .. })));
}

proptest! {
    /// Shares add up, means lie within the data, and more rounds never fit worse.
    #[test]
    fn likelihood_only_rises(
        x in proptest::collection::vec(-10.0..10.0f64, 20..120), components in 1..5usize, seed in any::<u64>(),
    ) {
        let x = &x[..x.len() / 2 * 2];
        let with = |max_iterations| Mixture { components, max_iterations, tolerance: 0.0, seed, ..Mixture::default() };
        let mut before = f64::NEG_INFINITY;
        for rounds in [0, 1, 2, 5, 20] {
            let found = with(rounds).fit(x, 2).unwrap();
            prop_assert!(found.log_likelihood >= before - 1e-3 * (1.0 + before.abs()), "{before} {}", found.log_likelihood);
            before = found.log_likelihood;
            prop_assert!((found.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            for shares in found.responsibilities.chunks(components) {
                prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }
}
