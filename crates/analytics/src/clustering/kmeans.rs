//! k-means: the centres that rows are least far from in squared distance (the inertia), by Lloyd's iterations from a few
//! starts. It stops as scikit-learn does, so that the same start ends at the same centres after as many iterations.
//! Lloyd, 'Least squares quantization in PCM' (1982).

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::nearest::Nearest;
use super::seeding::plus_plus;
use super::table::{Table, add_up, squared_distance};
use crate::error::{Error, Result, same_length};

/// How to cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KMeans {
    /// From 1 to the number of rows.
    pub clusters: usize,
    /// Starts from different k-means++ centres; the one with the least inertia wins.
    pub starts: usize,
    pub max_iterations: usize,
    /// Ends when the centres' squared shifts add up to at most this share of the mean variance of a column.
    pub tolerance: f64,
    pub seed: u64,
}

impl Default for KMeans {
    fn default() -> Self {
        Self { clusters: 5, starts: 4, max_iterations: 300, tolerance: 1e-4, seed: 0 }
    }
}

/// Rows by their nearest centre.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    pub columns: usize,
    /// Row-major, one row for each cluster.
    pub centres: Vec<f64>,
    /// Index of each row's nearest centre. A centre has no rows only where fewer rows differ than there are clusters.
    pub labels: Vec<u32>,
    /// Sum of the squared distances between rows and their centres.
    pub inertia: f64,
    pub iterations: usize,
}

impl KMeans {
    /// The best of `starts` runs. `x` is row-major with `columns` numbers a row. Fails for no rows, more clusters than
    /// rows, and a number that is not finite, naming its row and column.
    pub fn fit(&self, x: &[f64], columns: usize) -> Result<Clusters> {
        let table = self.check(x, columns)?;
        let (origin, spread) = table.moments();
        let one = |start: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(start);
            let centres = plus_plus(&table, self.clusters, &mut rng);
            self.lloyd(&table, &origin, spread, centres)
        };
        let best = (0..self.starts as u64).map(one).reduce(|a, b| if b.inertia < a.inertia { b } else { a });
        best.ok_or(Error::Setting { name: "starts", value: 0.0, valid: "1 or more" })
    }

    /// One run from `centres`, row-major, `clusters` of them. Fails as `fit` does.
    pub fn fit_from(&self, x: &[f64], columns: usize, centres: &[f64]) -> Result<Clusters> {
        let table = self.check(x, columns)?;
        same_length("centres", self.clusters * columns, centres.len())?;
        Table::new(centres, columns)?;
        let (origin, spread) = table.moments();
        Ok(self.lloyd(&table, &origin, spread, centres.to_vec()))
    }

    fn check<'a>(&self, x: &'a [f64], columns: usize) -> Result<Table<'a>> {
        let table = Table::new(x, columns)?;
        check_clusters(self.clusters, table.rows())?;
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return Err(Error::Setting { name: "tolerance", value: self.tolerance, valid: "0 or more, and finite" });
        }
        Ok(table)
    }

    fn lloyd(&self, table: &Table, origin: &[f64], spread: f64, mut centres: Vec<f64>) -> Clusters {
        let mut labels = vec![u32::MAX; table.rows()];
        let mut iterations = 0;
        let mut settled = false;
        while iterations < self.max_iterations && !settled {
            iterations += 1;
            let assigned = Sums::assign(table, &Nearest::new(&centres, origin), &mut labels);
            settled = assigned.changed == 0;
            if !settled {
                let moved = assigned.means(table, origin, &centres, &labels);
                let shift = squared_distance(&moved, &centres);
                centres = moved;
                if shift <= self.tolerance * spread {
                    break;
                }
            }
        }
        if !settled {
            labels = Nearest::new(&centres, origin).labels(table);
        }
        Clusters::new(table, centres, labels, iterations)
    }
}

impl Clusters {
    pub(super) fn new(table: &Table, centres: Vec<f64>, labels: Vec<u32>, iterations: usize) -> Self {
        let one = |(rows, labels): (&[f64], &[u32])| {
            let distances = rows.chunks_exact(table.columns).zip(labels).map(|(row, &label)| {
                squared_distance(row, &centres[label as usize * table.columns..][..table.columns])
            });
            distances.sum()
        };
        let parts: Vec<f64> = table.pieces().zip(labels.par_chunks(table.piece())).map(one).collect();
        Self { columns: table.columns, inertia: parts.iter().sum(), centres, labels, iterations }
    }

    /// The nearest centre of each row of `x`, which has the columns of the fit.
    pub fn predict(&self, x: &[f64]) -> Result<Vec<u32>> {
        let table = Table::of_any_rows(x, self.columns)?;
        Ok(Nearest::new(&self.centres, &middle(&self.centres, self.columns)).labels(&table))
    }
}

pub(super) fn check_clusters(clusters: usize, rows: usize) -> Result<()> {
    if (1..=rows).contains(&clusters) { Ok(()) } else { Err(Error::ClusterCount { clusters, rows }) }
}

/// Mean of the centres: an origin near the data.
pub(super) fn middle(centres: &[f64], columns: usize) -> Vec<f64> {
    let count = (centres.len() / columns) as f64;
    (0..columns).map(|j| centres.iter().skip(j).step_by(columns).map(|c| c / count).sum()).collect()
}

/// What one assignment of all rows yields.
struct Sums {
    /// Row-major: for each cluster the sum of its rows, from the origin.
    sums: Vec<f64>,
    /// Rows of each cluster.
    counts: Vec<usize>,
    /// Rows whose label is another than before.
    changed: usize,
}

impl Sums {
    fn assign(table: &Table, nearest: &Nearest, labels: &mut [u32]) -> Self {
        let columns = table.columns;
        let one = |(rows, labels): (&[f64], &mut [u32])| {
            let mut sums = vec![0.0; nearest.clusters() * columns];
            let mut counts = vec![0; nearest.clusters()];
            let mut changed = 0;
            let mut labels = labels.iter_mut();
            nearest.for_each(rows, |row, cluster| {
                let sums = &mut sums[cluster * columns..][..columns];
                sums.iter_mut().zip(row).zip(nearest.origin).for_each(|((sum, v), o)| *sum += v - o);
                counts[cluster] += 1;
                if let Some(label) = labels.next() {
                    changed += usize::from(*label != cluster as u32);
                    *label = cluster as u32;
                }
            });
            (sums, (counts, changed))
        };
        let parts: Vec<_> = table.pieces().zip(labels.par_chunks_mut(table.piece())).map(one).collect();
        let (sums, rest): (Vec<_>, Vec<(Vec<usize>, usize)>) = parts.into_iter().unzip();
        let counts = (0..nearest.clusters()).map(|c| rest.iter().map(|(counts, _)| counts[c]).sum()).collect();
        Self { sums: add_up(sums), counts, changed: rest.iter().map(|(_, changed)| changed).sum() }
    }

    /// The mean of each cluster's rows. A cluster without rows takes the row farthest from its own centre, which leaves
    /// that one's sum; it stays where it was when no row is off its centre.
    fn means(mut self, table: &Table, origin: &[f64], centres: &[f64], labels: &[u32]) -> Vec<f64> {
        let columns = table.columns;
        let empty: Vec<usize> = (0..self.counts.len()).filter(|&c| self.counts[c] == 0).collect();
        for (cluster, row) in empty.iter().zip(farthest(table, centres, labels, empty.len())) {
            let donor = labels[row] as usize;
            for (j, (v, o)) in table.row(row).iter().zip(origin).enumerate() {
                self.sums[donor * columns + j] -= v - o;
                self.sums[cluster * columns + j] += v - o;
            }
            self.counts[donor] -= 1;
            self.counts[*cluster] += 1;
        }
        let mut means = centres.to_vec();
        let clusters = means.chunks_exact_mut(columns).zip(self.sums.chunks_exact(columns)).zip(&self.counts);
        for ((mean, sum), &count) in clusters.filter(|(_, count)| **count > 0) {
            mean.iter_mut().zip(sum).zip(origin).for_each(|((mean, sum), o)| *mean = o + sum / count as f64);
        }
        means
    }
}

/// Up to `count` rows that lie farthest from their centres, but not on them; the first of equals.
fn farthest(table: &Table, centres: &[f64], labels: &[u32], count: usize) -> Vec<usize> {
    if count == 0 {
        return vec![];
    }
    let distance = |(row, &label): (usize, &u32)| {
        (row, squared_distance(table.row(row), &centres[label as usize * table.columns..][..table.columns]))
    };
    let mut rows: Vec<(usize, f64)> = labels.par_iter().enumerate().map(distance).filter(|(_, d)| *d > 0.0).collect();
    let order = |a: &(usize, f64), b: &(usize, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if rows.len() > count {
        rows.select_nth_unstable_by(count - 1, order);
        rows.truncate(count);
    }
    rows.sort_unstable_by(order);
    rows.into_iter().map(|(row, _)| row).collect()
}
