//! Agreement against scikit-learn, and stability of clusters that are there and that are not.

use super::{corners, on_threads};
use crate::support::{assert_close, oracle};
use analytics::Error;
use analytics::clustering::agreement::{Stability, adjusted_rand_index};
use analytics::clustering::describe::Describe;
use analytics::clustering::kmeans::KMeans;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[test]
fn equals_adjusted_rand_score() {
    let digits = |text: &str| text.bytes().map(|b| u32::from(b - b'0')).collect::<Vec<u32>>();
    for row in oracle("rand_index.csv") {
        let found = adjusted_rand_index(&digits(&row[0]), &digits(&row[1])).unwrap();
        assert_close("adjusted Rand index", found, row[2].parse().unwrap(), 1e-12);
    }
    assert_eq!(adjusted_rand_index(&[5], &[9]), Ok(1.0));
}

#[test]
fn true_clusters_come_back_and_invented_ones_do_not() {
    let x = corners(100, 2);
    let measure = |x: &[f64], clusters: usize| {
        let kmeans = KMeans { clusters, ..KMeans::default() };
        let found = kmeans.fit(x, 2).unwrap();
        Stability::default().measure(x, &found, &kmeans).unwrap()
    };
    let four = measure(&x, 4);
    assert_eq!((four.mean, four.each.len()), (1.0, 20));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let cloud: Vec<f64> = (0..800).map(|_| rng.random::<f64>() + rng.random::<f64>() + rng.random::<f64>()).collect();
    let invented = measure(&cloud, 7);
    assert!(invented.mean < 0.8, "{invented:?}");
    assert_eq!(on_threads(1, || measure(&cloud, 7)), on_threads(3, || measure(&cloud, 7)));
}

/// Segments by rules come back from any customers, but for those whose bounds are drawn anew; those by lot do not.
#[test]
fn segments_by_rules_come_back_and_those_by_lot_do_not() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let x: Vec<f64> = (0..1000).map(|_| rng.random::<f64>()).collect();
    let rules = Describe { max_depth: 8, min_leaf_rows: 1 };
    let measure = |labels: &[u32]| Stability::default().of_rules(&x, 2, labels, &rules).unwrap();
    let by_rule: Vec<u32> = x.chunks(2).map(|row| if row[0] > 0.7 { 9 } else { 4 }).collect();
    let found = measure(&by_rule);
    assert_eq!(found.iter().map(|(label, _)| *label).collect::<Vec<u32>>(), [4, 9]);
    assert!(found.iter().all(|(_, stability)| (0.95..=1.0).contains(&stability.unwrap())), "{found:?}");
    let by_lot: Vec<u32> = (0..500).map(|_| rng.random_range(0..2)).collect();
    let found = measure(&by_lot);
    assert!(found.iter().all(|(_, stability)| stability.unwrap().abs() < 0.1), "{found:?}");
    // However large a segment is: a rule that puts everybody into it knows nothing.
    let mostly: Vec<u32> = (0..500).map(|_| u32::from(rng.random_range(0..10) == 0)).collect();
    let found = measure(&mostly);
    assert!(found.iter().all(|(_, stability)| stability.unwrap().abs() < 0.1), "{found:?}");
    assert_eq!(on_threads(1, || measure(&by_lot)), on_threads(3, || measure(&by_lot)));
    let none = Stability { resamples: 0, ..Stability::default() }.of_rules(&x, 2, &by_lot, &rules);
    assert!(matches!(none, Err(Error::Setting { name: "resamples", .. })), "{none:?}");
}

#[test]
fn errors_say_what_is_wrong() {
    assert_eq!(adjusted_rand_index(&[], &[]), Err(Error::Empty { what: "labels" }));
    assert!(matches!(adjusted_rand_index(&[1, 2], &[1]), Err(Error::Length { .. })));
    let kmeans = KMeans { clusters: 2, ..KMeans::default() };
    let found = kmeans.fit(&[1.0, 2.0, 9.0], 1).unwrap();
    let none = Stability { resamples: 0, seed: 0 };
    assert!(matches!(none.measure(&[1.0, 2.0, 9.0], &found, &kmeans), Err(Error::Setting { .. })));
    assert!(matches!(Stability::default().measure(&[1.0], &found, &kmeans), Err(Error::Length { .. })));
}
