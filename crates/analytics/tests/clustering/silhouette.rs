//! Silhouettes against scikit-learn and the definition.

use super::{corners, distance, expected, iris, on_threads, rows};
use crate::support::assert_close;
use analytics::Error;
use analytics::clustering::kmeans::KMeans;
use analytics::clustering::silhouette::Silhouette;
use proptest::prelude::*;

#[test]
fn each_row_has_the_silhouette_of_scikit_learn() {
    let (x, answers) = rows();
    let labels: Vec<u32> = answers.iter().map(|a| a[0] as u32).collect();
    let found = Silhouette::default().measure(&x, 3, &labels).unwrap();
    assert_eq!(found.rows, (0..250).collect::<Vec<usize>>());
    found.values.iter().zip(&answers).for_each(|(value, a)| assert_close("silhouette", *value, a[2], 1e-12));
}

/// Published for k = 3: .55282; the best k of iris is 2.
#[test]
fn iris_is_best_in_two() {
    let kmeans = KMeans { starts: 20, tolerance: 0.0, ..KMeans::default() };
    let choice = Silhouette::default().choose(&iris(), 4, 2..=5, &kmeans).unwrap();
    assert_eq!(choice.clusters.centres.len(), 2 * 4);
    assert_close("published", choice.silhouettes[1].1.unwrap(), 0.55282, 5e-6);
    assert_close("k = 3", choice.silhouettes[1].1.unwrap(), expected("silhouette"), 1e-12);
    for (k, found) in choice.silhouettes.into_iter().filter(|(k, _)| *k != 3) {
        assert_close("silhouette", found.unwrap(), expected(&format!("silhouette_{k}")), 1e-9);
    }
}

#[test]
fn a_sample_comes_near_to_all_rows() {
    let x = corners(500, 2);
    let labels: Vec<u32> = (0..2000).map(|row| row % 4).collect();
    let all = Silhouette::default().measure(&x, 2, &labels).unwrap();
    let sampler = Silhouette { exact_up_to: 300, seed: 1 };
    let sampled = sampler.measure(&x, 2, &labels).unwrap();
    assert_eq!((all.rows.len(), sampled.rows.len(), sampled.values.len()), (2000, 300, 300));
    assert_close("mean", sampled.mean, all.mean, 0.01);
    assert_eq!(on_threads(1, || sampler.measure(&x, 2, &labels)), on_threads(3, || sampler.measure(&x, 2, &labels)));
    assert_ne!(sampled.rows, Silhouette { seed: 2, ..sampler }.measure(&x, 2, &labels).unwrap().rows);
    let choice = sampler.choose(&x, 2, 2..=6, &KMeans::default()).unwrap();
    assert_eq!(choice.clusters.centres.len(), 4 * 2);
}

#[test]
fn errors_say_what_is_wrong() {
    let silhouette = Silhouette::default();
    assert!(matches!(silhouette.measure(&[1.0, 2.0], 1, &[0, 0]), Err(Error::Undefined { .. })));
    assert!(matches!(silhouette.measure(&[1.0], 1, &[0]), Err(Error::Undefined { .. })));
    assert!(matches!(silhouette.measure(&[1.0, 2.0], 1, &[0]), Err(Error::Length { .. })));
    assert!(matches!(silhouette.measure(&[1.0, f64::NAN], 1, &[0, 1]), Err(Error::Cell { row: 1, .. })));
    let small = Silhouette { exact_up_to: 1, seed: 0 };
    assert!(matches!(small.measure(&[1.0, 2.0], 1, &[0, 1]), Err(Error::Setting { .. })));
    let choose = |range| silhouette.choose(&[1.0, 1.0, 1.0], 1, range, &KMeans::default());
    assert!(matches!(choose(1..=2), Err(Error::Setting { .. })));
    assert!(matches!(choose(2..=3), Err(Error::Undefined { .. })), "equal rows have no clusters");
    assert!(matches!(choose(2..=4), Err(Error::ClusterCount { clusters: 4, rows: 3 })));
    assert_eq!(silhouette.measure(&[1.0, 1.0, 1.0], 1, &[0, 7, 7]).unwrap().values, [0.0; 3]);
}

proptest! {
    #[test]
    fn equals_the_definition(
        rows in proptest::collection::vec((-9..9i32, -9..9i32, 0..4u32), 2..40), gap in 1..1000u32,
    ) {
        let x: Vec<f64> = rows.iter().flat_map(|r| [f64::from(r.0), f64::from(r.1)]).collect();
        let labels: Vec<u32> = rows.iter().map(|r| r.2 * gap).collect();
        prop_assume!(labels.iter().any(|l| *l != labels[0]));
        let found = Silhouette::default().measure(&x, 2, &labels).unwrap();
        for i in 0..labels.len() {
            let mean_to = |label: u32| {
                let others = (0..labels.len()).filter(|&j| j != i && labels[j] == label);
                let all: Vec<f64> = others.map(|j| distance(&x[i * 2..][..2], &x[j * 2..][..2])).collect();
                (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
            };
            let b = (0..4).map(|l| l * gap).filter(|l| *l != labels[i]).filter_map(mean_to).fold(f64::INFINITY, f64::min);
            let s = mean_to(labels[i]).map_or(0.0, |a| if a.max(b) > 0.0 { (b - a) / a.max(b) } else { 0.0 });
            prop_assert!((found.values[i] - s).abs() < 1e-12, "row {i}: {} instead of {s}", found.values[i]);
        }
    }
}
