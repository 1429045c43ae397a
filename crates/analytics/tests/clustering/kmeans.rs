//! k-means and its mini-batch form.

use super::{corners, distance, expected, iris, on_threads, rows};
use crate::support::{assert_close, assert_relative, numbers, oracle};
use analytics::Error;
use analytics::clustering::Clusters;
use analytics::clustering::agreement::adjusted_rand_index;
use analytics::clustering::kmeans::KMeans;
use analytics::clustering::mini_batch::MiniBatch;
use proptest::prelude::*;

#[test]
fn inertia_of_iris_is_the_published_one() {
    for seed in 0..5 {
        let found = KMeans { clusters: 3, seed, tolerance: 0.0, ..KMeans::default() }.fit(&iris(), 4).unwrap();
        assert_close("inertia", found.inertia, expected("inertia"), 1e-9);
        assert_close("published inertia", found.inertia, 78.85144, 5e-6);
    }
}

/// Same start, same iterations, same rows in each cluster; centres to rounding.
#[test]
fn a_given_start_ends_where_scikit_learn_ends() {
    let (x, answers) = rows();
    let oracles: Vec<Vec<f64>> = oracle("kmeans_centres.csv").iter().map(|row| numbers(row)).collect();
    let found = KMeans { clusters: 5, ..KMeans::default() }.fit_from(&x, 3, &x[..15]).unwrap();
    for (centre, expected) in found.centres.chunks(3).zip(&oracles) {
        (0..3).for_each(|j| assert_close("centre", centre[j], expected[j], 1e-12));
    }
    assert_eq!(found.iterations as f64, oracles[0][3]);
    assert_relative("inertia", found.inertia, oracles[0][4], 1e-13);
    let labels: Vec<f64> = found.labels.iter().map(|&label| f64::from(label)).collect();
    assert_eq!(labels, answers.iter().map(|a| a[0]).collect::<Vec<f64>>());
    assert_eq!(found.predict(&x).unwrap(), found.labels);
}

/// 1e9 away from 0, a plain ‖x‖² − 2x·c + ‖c‖² has no digit left.
#[test]
fn distance_from_zero_does_not_matter() {
    let (x, _) = rows();
    let far: Vec<f64> = x.iter().map(|v| v + 1e9).collect();
    let kmeans = KMeans { clusters: 5, ..KMeans::default() };
    let (near, far) = (kmeans.fit_from(&x, 3, &x[..15]).unwrap(), kmeans.fit_from(&far, 3, &far[..15]).unwrap());
    assert_eq!(near.labels, far.labels);
    assert_eq!(near.iterations, far.iterations);
    assert_eq!(far.predict(&x.iter().map(|v| v + 1e9).collect::<Vec<_>>()).unwrap(), far.labels);
}

/// Both starting centres of the right-hand pair are out of reach of any row.
#[test]
fn an_empty_cluster_takes_the_farthest_row() {
    let x = [0.0, 1.0, 2.0, 10.0];
    let found = KMeans { clusters: 3, ..KMeans::default() }.fit_from(&x, 1, &[1.0, 1000.0, 2000.0]).unwrap();
    assert_eq!(found.centres.iter().filter(|c| **c == 10.0).count(), 1, "{found:?}");
    assert_close("inertia", found.inertia, 0.5, 1e-12);
}

#[test]
fn one_row_equal_rows_and_constant_columns_work() {
    let one = KMeans { clusters: 1, ..KMeans::default() }.fit(&[3.0, 4.0], 2).unwrap();
    assert_eq!((one.centres, one.labels, one.inertia), (vec![3.0, 4.0], vec![0], 0.0));
    let equal = KMeans { clusters: 3, ..KMeans::default() }.fit(&[7.0; 10], 2).unwrap();
    assert_eq!((equal.centres, equal.inertia), (vec![7.0; 6], 0.0));
    let mut x = corners(20, 3);
    x.chunks_mut(3).for_each(|row| row[2] = -1.0);
    let found = KMeans { clusters: 4, ..KMeans::default() }.fit(&x, 3).unwrap();
    assert!(found.centres.chunks(3).all(|c| (c[2] + 1.0).abs() < 1e-12), "{:?}", found.centres);
    let each = KMeans { clusters: 80, ..KMeans::default() }.fit(&x, 3).unwrap();
    assert_close("a cluster for each row", each.inertia, 0.0, 1e-20);
}

#[test]
fn threads_do_not_change_a_bit_and_starts_only_help() {
    let x: Vec<f64> = (0..20_000u32).map(|i| f64::from(i.wrapping_mul(2_654_435_761) % 1009)).collect();
    let kmeans = KMeans { clusters: 7, ..KMeans::default() };
    let small = MiniBatch { clusters: 7, batches: 10, ..MiniBatch::default() };
    for columns in [1, 2, 5] {
        let all = || (kmeans.fit(&x, columns).unwrap(), small.fit(&x, columns).unwrap());
        assert_eq!(on_threads(1, all), on_threads(3, all));
        let one = KMeans { starts: 1, ..kmeans }.fit(&x, columns).unwrap();
        assert!(kmeans.fit(&x, columns).unwrap().inertia <= one.inertia);
    }
}

/// Sculley's algorithm on four clear clusters finds them; on overlapping ones it costs a few per cent of inertia.
#[test]
fn batches_come_near_to_all_rows() {
    let x = corners(5000, 3);
    let found = MiniBatch { clusters: 4, batch_rows: 256, ..MiniBatch::default() }.fit(&x, 3).unwrap();
    let truth: Vec<u32> = (0..20_000).map(|row| row % 4).collect();
    assert_eq!(adjusted_rand_index(&found.labels, &truth), Ok(1.0));
    let all = KMeans { clusters: 4, ..KMeans::default() }.fit(&x, 3).unwrap();
    assert!(found.inertia < 1.01 * all.inertia, "{} against {}", found.inertia, all.inertia);
    let iris = MiniBatch { clusters: 3, batch_rows: 100, ..MiniBatch::default() }.fit(&iris(), 4).unwrap();
    assert!(iris.inertia < 1.05 * expected("inertia"), "{}", iris.inertia);
}

#[test]
fn errors_say_what_is_wrong() {
    let fit = |clusters, x: &[f64], columns| KMeans { clusters, ..KMeans::default() }.fit(x, columns);
    assert_eq!(fit(4, &[1.0; 6], 2), Err(Error::ClusterCount { clusters: 4, rows: 3 }));
    assert_eq!(fit(0, &[1.0; 6], 2), Err(Error::ClusterCount { clusters: 0, rows: 3 }));
    assert_eq!(fit(1, &[], 2), Err(Error::Empty { what: "x" }));
    assert_eq!(fit(1, &[1.0], 0), Err(Error::Empty { what: "columns" }));
    assert_eq!(fit(1, &[1.0; 5], 2), Err(Error::Length { what: "x", expected: 6, found: 5 }));
    for bad in [f64::NAN, f64::INFINITY, -1e101] {
        let found = fit(1, &[1.0, 2.0, 3.0, bad], 2);
        assert!(matches!(found, Err(Error::Cell { row: 1, column: 1, .. })), "{found:?}");
    }
    let kmeans = KMeans { clusters: 2, ..KMeans::default() };
    assert!(matches!(kmeans.fit_from(&[1.0; 6], 2, &[1.0; 3]), Err(Error::Length { what: "centres", .. })));
    assert!(matches!(kmeans.fit_from(&[1.0; 6], 2, &[f64::NAN; 4]), Err(Error::Cell { .. })));
    assert!(matches!(KMeans { starts: 0, ..kmeans }.fit(&[1.0; 6], 2), Err(Error::Setting { name: "starts", .. })));
    assert!(matches!(KMeans { tolerance: f64::NAN, ..kmeans }.fit(&[1.0; 6], 2), Err(Error::Setting { .. })));
    let found = MiniBatch { batch_rows: 0, ..MiniBatch::default() }.fit(&[1.0; 6], 1);
    assert!(matches!(found, Err(Error::Setting { name: "batch_rows", .. })));
    assert_eq!(MiniBatch::default().fit(&[1.0; 3], 1), Err(Error::ClusterCount { clusters: 5, rows: 3 }));
    assert_eq!(kmeans.fit(&[1e100, -1e100, 1.0, 2.0], 1).map(|c| c.inertia.is_finite()), Ok(true));
}

fn each_row_is_nearest_to_its_centre(x: &[f64], found: &Clusters) -> Result<(), TestCaseError> {
    let mut inertia = 0.0;
    for (row, &label) in x.chunks(found.columns).zip(&found.labels) {
        let all: Vec<f64> = found.centres.chunks(found.columns).map(|centre| distance(row, centre)).collect();
        let own = all[label as usize];
        prop_assert!(all.iter().all(|d| own * own <= d * d + 1e-9), "{own} of {all:?}");
        inertia += own * own;
    }
    prop_assert!((inertia - found.inertia).abs() <= 1e-9 * (1.0 + inertia));
    Ok(())
}

proptest! {
    #[test]
    fn every_row_has_its_nearest_centre(
        x in proptest::collection::vec(-50..50i32, 12..300), columns in 1..5usize, clusters in 1..12usize, seed in any::<u64>(),
    ) {
        let x: Vec<f64> = x[..x.len() / columns * columns].iter().map(|&v| f64::from(v) / 8.0).collect();
        let clusters = clusters.min(x.len() / columns);
        let kmeans = KMeans { clusters, seed, starts: 2, tolerance: 0.0, ..KMeans::default() };
        let found = kmeans.fit(&x, columns).unwrap();
        each_row_is_nearest_to_its_centre(&x, &found)?;
        for (label, centre) in found.centres.chunks(columns).enumerate() {
            let own: Vec<&[f64]> =
                x.chunks(columns).zip(&found.labels).filter(|(_, l)| **l as usize == label).map(|(row, _)| row).collect();
            for (j, c) in centre.iter().enumerate().filter(|_| !own.is_empty()) {
                let mean = own.iter().map(|row| row[j]).sum::<f64>() / own.len() as f64;
                prop_assert!((mean - c).abs() < 1e-9, "a settled centre is the mean of its rows");
            }
        }
        prop_assert_eq!(&found, &kmeans.fit(&x, columns).unwrap());
        let small = MiniBatch { clusters, seed, batch_rows: 16, batches: 5 };
        each_row_is_nearest_to_its_centre(&x, &small.fit(&x, columns).unwrap())?;
    }
}
