//! Agreement of two labellings of the same rows, whatever their clusters are called, and what follows from it: clusters
//! that come back when other customers are drawn are there, and those that do not are an accident of the sample (Hennig,
//! 'Cluster-wise assessment of cluster stability', 2007).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::compact;
use super::describe::Describe;
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

/// More say nothing more.
const MOST_RESAMPLES: usize = 10_000;

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
        let table = Table::new(x, clusters.columns)?;
        same_length("labels", table.rows(), clusters.labels.len())?;
        let one = |resample: u64| {
            let drawn = table.gather(self.draw(resample, table.rows()));
            let labels = kmeans.fit(&drawn, table.columns)?.predict(x)?;
            adjusted_rand_index(&clusters.labels, &labels)
        };
        let each = (0..self.resamples()?).map(one).collect::<Result<Vec<f64>>>()?;
        Ok(Agreement { mean: each.iter().sum::<f64>() / each.len() as f64, each })
    }

    /// For clusters, or segments of any kind, whatever made them: each one's label, ascending, and whether rules learned from
    /// as many rows drawn with replacement put the rows that were not drawn into it: rows in both over rows in either
    /// (Jaccard), corrected for chance, the mean of all resamples. 1 for all of them, 0 where the rules know no better than
    /// how many rows it has; `None` where no resample could tell.
    pub fn of_rules(
        &self,
        x: &[f64],
        columns: usize,
        labels: &[u32],
        rules: &Describe,
    ) -> Result<Vec<(u32, Option<f64>)>> {
        let table = Table::new(x, columns)?;
        same_length("labels", table.rows(), labels.len())?;
        let (distinct, _) = compact(labels);
        let of = |rows: &[usize]| -> Vec<u32> { rows.iter().map(|&row| labels[row]).collect() };
        let one = |resample: u64| {
            let drawn: Vec<usize> = self.draw(resample, table.rows()).collect();
            let mut is_drawn = vec![false; table.rows()];
            drawn.iter().for_each(|&row| is_drawn[row] = true);
            let others: Vec<usize> = (0..table.rows()).filter(|&row| !is_drawn[row]).collect();
            if others.is_empty() {
                return Ok(vec![None; distinct.len()]);
            }
            let learned = rules.fit(&table.gather(drawn.iter().copied()), columns, &of(&drawn))?;
            let again = learned.predict(&table.gather(others.iter().copied()), columns)?;
            let before = of(&others);
            Ok(distinct.iter().map(|&label| corrected_jaccard(&before, &again, label)).collect())
        };
        let each = (0..self.resamples()?).into_par_iter().map(one).collect::<Result<Vec<Vec<Option<f64>>>>>()?;
        let mean = |place: usize| {
            let told: Vec<f64> = each.iter().filter_map(|each| each[place]).collect();
            (!told.is_empty()).then(|| told.iter().sum::<f64>() / told.len() as f64)
        };
        Ok(distinct.iter().enumerate().map(|(place, &label)| (label, mean(place))).collect())
    }

    fn resamples(&self) -> Result<u64> {
        match self.resamples {
            1..=MOST_RESAMPLES => Ok(self.resamples as u64),
            other => Err(Error::Setting { name: "resamples", value: other as f64, valid: "1 to 10000" }),
        }
    }

    fn draw(&self, resample: u64, rows: usize) -> impl Iterator<Item = usize> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(resample);
        (0..rows).map(move |_| rng.random_range(0..rows))
    }
}

/// Rows that have the label in both labellings over those that have it in either, less what that is for labellings that have
/// nothing to do with each other, as a share of what is left to 1. `None` where no row or every row has it in both.
fn corrected_jaccard(a: &[u32], b: &[u32], label: u32) -> Option<f64> {
    let (mut both, mut in_a, mut in_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (f64::from(u8::from(*a == label)), f64::from(u8::from(*b == label)));
        (both, in_a, in_b) = (both + a * b, in_a + a, in_b + b);
    }
    let (either, rows) = (in_a + in_b - both, a.len() as f64);
    if either == 0.0 || both == rows {
        return None;
    }
    let expected = in_a * in_b / rows;
    let by_chance = expected / (in_a + in_b - expected);
    Some((both / either - by_chance) / (1.0 - by_chance))
}

/// Pairs of rows with equal keys.
fn pairs<K: Ord>(mut keys: Vec<K>) -> f64 {
    keys.sort_unstable();
    keys.chunk_by(|a, b| a == b).map(|group| group.len() as f64).map(|n| n * (n - 1.0) / 2.0).sum()
}
