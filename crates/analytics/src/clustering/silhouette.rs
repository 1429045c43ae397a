//! Silhouette: how much nearer a row is to its own cluster than to the next one. With a = mean distance to the other rows
//! of its cluster and b = the least mean distance to the rows of another, it is (b − a) / max(a, b): 1 is well inside, 0 on
//! a border, below 0 in the wrong cluster; 0 for a row alone in its cluster. It needs the distance of every pair of rows,
//! so above `exact_up_to` rows it is that of a random sample. Rousseeuw, 'Silhouettes' (1987).

use std::ops::RangeInclusive;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::compact;
use super::kmeans::{Clusters, KMeans};
use super::table::{Table, squared_distance};
use crate::error::{Error, Result, same_length};

/// How to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Silhouette {
    /// More rows than this are sampled down to it, and the sample is treated as if it were all; 2 or more.
    pub exact_up_to: usize,
    /// Of the sample.
    pub seed: u64,
}

impl Default for Silhouette {
    fn default() -> Self {
        Self { exact_up_to: 10_000, seed: 0 }
    }
}

/// Silhouettes of the rows that were measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Silhouettes {
    pub mean: f64,
    /// The measured rows in ascending order: all of them, or the sample.
    pub rows: Vec<usize>,
    /// From −1 to 1, one for each measured row.
    pub values: Vec<f64>,
}

/// The best number of clusters.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub clusters: Clusters,
    /// Mean silhouette of each number of clusters; `None` where all measured rows fell into one cluster.
    pub silhouettes: Vec<(usize, Option<f64>)>,
}

impl Silhouette {
    /// `x` is row-major with `columns` numbers a row. Fails when all measured rows have the same label.
    pub fn measure(&self, x: &[f64], columns: usize, labels: &[u32]) -> Result<Silhouettes> {
        let table = Table::new(x, columns)?;
        same_length("labels", table.rows(), labels.len())?;
        if self.exact_up_to < 2 {
            return Err(Error::Setting { name: "exact_up_to", value: self.exact_up_to as f64, valid: "2 or more" });
        }
        if table.rows() <= self.exact_up_to {
            let values = each(&table, labels)?;
            return Ok(Silhouettes { mean: mean(&values), rows: (0..labels.len()).collect(), values });
        }
        let rows = table.draw(self.exact_up_to, &mut ChaCha8Rng::seed_from_u64(self.seed));
        let sample = table.gather(rows.iter().copied());
        let labels: Vec<u32> = rows.iter().map(|&row| labels[row]).collect();
        let values = each(&Table { x: &sample, columns }, &labels)?;
        Ok(Silhouettes { mean: mean(&values), rows, values })
    }

    /// Runs `kmeans` with every number of clusters in `range` (2 and more) and takes the one with the largest mean
    /// silhouette, the smaller of equals. All numbers are measured on the same rows.
    pub fn choose(&self, x: &[f64], columns: usize, range: RangeInclusive<usize>, kmeans: &KMeans) -> Result<Choice> {
        if *range.start() < 2 || range.is_empty() {
            let valid = "at least 2, and not above the end of the range";
            return Err(Error::Setting { name: "start of the range of clusters", value: *range.start() as f64, valid });
        }
        let mut best: Option<(f64, Clusters)> = None;
        let mut silhouettes = vec![];
        for clusters in range {
            let fit = KMeans { clusters, ..*kmeans }.fit(x, columns)?;
            let found = match self.measure(x, columns, &fit.labels) {
                Ok(found) => Some(found.mean),
                Err(Error::Undefined { .. }) => None,
                Err(error) => return Err(error),
            };
            silhouettes.push((clusters, found));
            if let Some(mean) = found.filter(|mean| best.as_ref().is_none_or(|(best, _)| mean > best)) {
                best = Some((mean, fit));
            }
        }
        best.map(|(_, clusters)| Choice { clusters, silhouettes }).ok_or(ONE_CLUSTER)
    }
}

const ONE_CLUSTER: Error = Error::Undefined { metric: "silhouette", why: "all rows are in one cluster" };

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn each(table: &Table, labels: &[u32]) -> Result<Vec<f64>> {
    let (distinct, places) = compact(labels);
    if distinct.len() < 2 {
        return Err(ONE_CLUSTER);
    }
    let mut counts = vec![0.0; distinct.len()];
    places.iter().for_each(|&place| counts[place] += 1.0);
    let one = |(row, &own): (usize, &usize)| {
        let mut sums = vec![0.0; counts.len()];
        for (other, &place) in table.x.chunks_exact(table.columns).zip(&places) {
            sums[place] += squared_distance(table.row(row), other).sqrt();
        }
        if counts[own] < 2.0 {
            return 0.0;
        }
        let inside = sums[own] / (counts[own] - 1.0);
        let others = (0..counts.len()).filter(|&place| place != own);
        let outside = others.map(|place| sums[place] / counts[place]).fold(f64::INFINITY, f64::min);
        let larger = inside.max(outside);
        if larger > 0.0 { (outside - inside) / larger } else { 0.0 }
    };
    Ok(places.par_iter().enumerate().map(one).collect())
}
