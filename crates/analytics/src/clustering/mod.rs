//! Clusters: groups of rows that lie near each other by Euclidean distance, what tells each group apart, and whether it
//! will still be there next month. Distances add up columns, so the caller brings them to one scale (standardised, or
//! logarithms of amounts) before. One shape for all: a row-major slice with `columns` numbers a row in, labels counted
//! from 0 out; a row that belongs to no cluster (DBSCAN's noise) has the label `None`.

pub mod agreement;
pub mod dbscan;
pub mod describe;
mod hungarian;
mod kd_tree;
pub mod kmeans;
pub mod mini_batch;
pub mod mixture;
mod nearest;
mod seeding;
pub mod silhouette;
pub mod stable;
mod table;

pub use kmeans::Clusters;

/// The distinct labels in ascending order, and each row's place among them: labels may have gaps, indices have none.
fn compact(labels: &[u32]) -> (Vec<u32>, Vec<usize>) {
    let mut distinct = labels.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let places = labels.iter().map(|label| distinct.partition_point(|d| d < label)).collect();
    (distinct, places)
}
