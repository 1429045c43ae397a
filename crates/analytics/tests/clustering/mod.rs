//! Clustering against scikit-learn (`data/make_clustering_oracles.py`), brute force, and what each algorithm promises.

use crate::support::{numbers, oracle};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

mod agreement;
mod dbscan;
mod describe;
mod kmeans;
mod mixture;
mod silhouette;
mod stable;

/// The four measures of 150 flowers, row-major.
fn iris() -> Vec<f64> {
    oracle("iris.csv").iter().flat_map(|row| numbers(&row[..4])).collect()
}

/// A number of scikit-learn on iris.
fn expected(name: &str) -> f64 {
    let rows = oracle("clustering.csv");
    let row = rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no {name}"));
    row[1].parse().unwrap()
}

/// Three columns of 250 rows, row-major, and scikit-learn's answers: k-means label, DBSCAN label, silhouette.
fn rows() -> (Vec<f64>, Vec<Vec<f64>>) {
    oracle("clustering_rows.csv").iter().map(|row| numbers(row)).map(|r| (r[..3].to_vec(), r[3..].to_vec())).fold(
        (vec![], vec![]),
        |(mut x, mut rest), (row, answers)| {
            x.extend(row);
            rest.push(answers);
            (x, rest)
        },
    )
}

/// `count` rows around each of four far corners of a square, in turn.
fn corners(count: usize, columns: usize) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let corner = |row: usize, column: usize| f64::from(u8::from((row >> (column % 2)) & 1 == 1)) * 20.0;
    (0..4 * count).flat_map(|row| (0..columns).map(move |j| corner(row, j))).map(|c| c + rng.random::<f64>()).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}
