//! DBSCAN against scikit-learn and against a search without a tree.

use super::{distance, expected, iris, on_threads, rows};
use analytics::Error;
use analytics::clustering::dbscan::{Dbscan, Regions};
use proptest::prelude::*;

#[test]
fn iris_has_two_clusters_and_17_rows_of_noise() {
    let found = Dbscan { eps: 0.5, min_points: 5 }.fit(&iris(), 4).unwrap();
    assert_eq!((found.clusters, found.labels.iter().filter(|l| l.is_none()).count()), (2, 17));
    assert_eq!((2.0, 17.0), (expected("dbscan_clusters"), expected("dbscan_noise")));
    assert_eq!(found.core.iter().filter(|&&c| c).count() as f64, expected("dbscan_core"));
}

#[test]
fn labels_equal_scikit_learn() {
    let (x, answers) = rows();
    let found = Dbscan { eps: 1.0, min_points: 4 }.fit(&x, 3).unwrap();
    let labels: Vec<f64> = found.labels.iter().map(|label| label.map_or(-1.0, f64::from)).collect();
    assert_eq!(labels, answers.iter().map(|a| a[1]).collect::<Vec<f64>>());
}

/// Without the open nodes of the tree this would look at 10^10 pairs.
#[test]
fn a_hundred_thousand_equal_rows_are_one_cluster() {
    let found = Dbscan::default().fit(&vec![2.0; 300_000], 3).unwrap();
    assert_eq!(found.clusters, 1);
    assert!(found.labels.iter().all(|label| *label == Some(0)));
}

#[test]
fn one_row_is_noise_or_a_cluster() {
    let with = |min_points| Dbscan { eps: 1.0, min_points }.fit(&[5.0], 1).unwrap().labels;
    assert_eq!((with(1), with(2)), (vec![Some(0)], vec![None]));
}

#[test]
fn threads_do_not_change_a_label() {
    let x: Vec<f64> = (0..9000u32).map(|i| f64::from(i.wrapping_mul(2_654_435_761) % 1009)).collect();
    let fit = || Dbscan { eps: 60.0, min_points: 4 }.fit(&x, 3).unwrap();
    assert_eq!(on_threads(1, fit), on_threads(3, fit));
}

#[test]
fn errors_say_what_is_wrong() {
    let with = |eps, min_points, x: &[f64]| Dbscan { eps, min_points }.fit(x, 2);
    for eps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(with(eps, 5, &[1.0; 4]), Err(Error::Setting { name: "eps", .. })));
    }
    assert!(matches!(with(1.0, 0, &[1.0; 4]), Err(Error::Setting { name: "min_points", .. })));
    assert_eq!(with(1.0, 5, &[]), Err(Error::Empty { what: "x" }));
    assert!(matches!(with(1.0, 5, &[1.0, 2.0, f64::NAN, 1.0]), Err(Error::Cell { row: 1, column: 0, .. })));
}

/// The definition, by all pairs: clusters grow from each core row in row order, and a border row stays in the first.
fn brute_force(x: &[f64], columns: usize, eps: f64, min_points: usize) -> Regions {
    let rows: Vec<&[f64]> = x.chunks(columns).collect();
    let rows = &rows;
    let near = |a: usize| (0..rows.len()).filter(move |&b| distance(rows[a], rows[b]) <= eps);
    let core: Vec<bool> = (0..rows.len()).map(|row| near(row).count() >= min_points).collect();
    let mut labels = vec![None; rows.len()];
    let mut clusters = 0;
    for first in 0..rows.len() {
        if !core[first] || labels[first].is_some() {
            continue;
        }
        let mut waiting = vec![first];
        while let Some(row) = waiting.pop() {
            for other in near(row).filter(|_| core[row]) {
                if labels[other].is_none() {
                    labels[other] = Some(clusters);
                    waiting.push(other);
                }
            }
        }
        clusters += 1;
    }
    Regions { labels, core, clusters: clusters as usize }
}

proptest! {
    /// Coordinates in quarters and a radius that no distance between them equals.
    #[test]
    fn the_tree_finds_what_all_pairs_find(
        x in proptest::collection::vec(-40..40i32, 3..400), columns in 1..4usize, eps in 1..40u32, min_points in 1..8usize,
    ) {
        let x: Vec<f64> = x[..x.len() / columns * columns].iter().map(|&v| f64::from(v) / 4.0).collect();
        let eps = f64::from(eps) / 8.0 + 0.0101;
        let found = Dbscan { eps, min_points }.fit(&x, columns).unwrap();
        prop_assert_eq!(found, brute_force(&x, columns, eps, min_points));
    }
}
