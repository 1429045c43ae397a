//! Agreement of two labellings of the same rows, whatever their clusters are called, and what follows from it: clusters
//! that come back when other customers are drawn are there, and those that do not are an accident of the sample (Hennig,
//! 'Cluster-wise assessment of cluster stability', 2007).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::compact;
use super::kmeans::{Clusters, KMeans};
use super::table::Table;
use crate::error::{Error, Result, not_empty, same_length};

/// Share of pairs of rows on which two labellings agree (together in both or apart in both), corrected for chance: 1 for
/// equal clusters, about 0 for independent ones. Hubert & Arabie, 'Comparing partitions' (1985).
pub fn adjusted_rand_index(a: &[u32], b: &[u32]) -> Result<f64> {
    not_empty("labels", a.len())?;
    same_length("labels", a.len(), b.len())?;
    let ((_, a), (_, b)) = (compact(a), compact(b));
    let mut both: Vec<(usize, usize)> = a.iter().copied().zip(b.iter().copied()).collect();
    both.sort_unstable();
    let (in_a, in_b, in_both) = (pairs(a), pairs(b), pairs(both.clone()));
    let all = pairs(vec![0; both.len()]);
    if in_a == in_both && in_b == in_both {
        return Ok(1.0);
    }
    let by_chance = in_a * in_b / all;
    Ok((in_both - by_chance) / ((in_a + in_b) / 2.0 - by_chance))
}

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stability {
    pub resamples: usize,
    pub seed: u64,
}

impl Default for Stability {
    fn default() -> Self {
        Self { resamples: 20, seed: 0 }
    }
}

/// Agreement with the clusters of each resample.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// Mean of `each`.
    pub mean: f64,
    /// Adjusted Rand index of each resample.
    pub each: Vec<f64>,
}

impl Stability {
    /// Clusters as many rows as `x` has, drawn with replacement, by `kmeans`; labels all rows by the centres found, and
    /// compares with `clusters`. Resample `r` draws from ChaCha stream `r`.
    pub fn measure(&self, x: &[f64], clusters: &Clusters, kmeans: &KMeans) -> Result<Agreement> {
        if self.resamples == 0 {
            return Err(Error::Setting { name: "resamples", value: 0.0, valid: "1 or more" });
        }
        let table = Table::new(x, clusters.columns)?;
        same_length("labels", table.rows(), clusters.labels.len())?;
        let one = |resample: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(resample);
            let drawn = table.gather((0..table.rows()).map(|_| rng.random_range(0..table.rows())));
            let labels = kmeans.fit(&drawn, table.columns)?.predict(x)?;
            adjusted_rand_index(&clusters.labels, &labels)
        };
        let each = (0..self.resamples as u64).map(one).collect::<Result<Vec<f64>>>()?;
        Ok(Agreement { mean: each.iter().sum::<f64>() / each.len() as f64, each })
    }
}

/// Pairs of rows with equal keys.
fn pairs<K: Ord>(mut keys: Vec<K>) -> f64 {
    keys.sort_unstable();
    keys.chunk_by(|a, b| a == b).map(|group| group.len() as f64).map(|n| n * (n - 1.0) / 2.0).sum()
}
