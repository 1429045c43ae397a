//! k-means from given centres on a file of numbers, and what it took.
//!
//! `benches/peers/kmeans_sklearn.py` makes the file and does the same in scikit-learn; then
//! `cargo bench -p analytics --bench kmeans -- points.f64 20 20` reads it: rows of 20 numbers, the last 20 rows the centres.
//! Both stop by the same rule, so iterations and inertia must be the same.

#![allow(clippy::print_stdout)]

mod support;

use std::time::Instant;

use analytics::clustering::kmeans::KMeans;
use support::peak_memory;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [file, columns, clusters] = arguments.as_slice() else {
        println!("nothing to do; see the top of crates/analytics/benches/kmeans.rs");
        return;
    };
    let number = |text: &str| text.parse::<usize>().expect("a whole number");
    let (columns, clusters) = (number(columns), number(clusters));
    let bytes = std::fs::read(file).expect("the file is readable");
    let numbers: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|x| f64::from_le_bytes(*x)).collect();
    drop(bytes);
    let (points, centres) = numbers.split_at(numbers.len() - clusters * columns);
    let kmeans = KMeans { clusters, ..KMeans::default() };
    for _ in 0..3 {
        let started = Instant::now();
        let found = kmeans.fit_from(points, columns, centres).expect("the numbers are finite");
        let seconds = started.elapsed().as_secs_f64();
        let rows = points.len() / columns;
        println!("{rows} rows: {seconds:.3} s, {} iterations, inertia {:.4}", found.iterations, found.inertia);
    }
    println!("peak memory {} MB", peak_memory());
}
