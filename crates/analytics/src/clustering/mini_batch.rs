//! k-means for data too large for many passes: each batch of randomly drawn rows pulls its nearest centres towards it, by
//! 1 / (rows that the centre has had), so that a centre is the mean of what was assigned to it. One pass at the end labels
//! all rows. Sculley, 'Web-scale k-means clustering' (2010).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::kmeans::{Clusters, check_clusters};
use super::nearest::Nearest;
use super::seeding::plus_plus;
use super::table::Table;
use crate::error::{Error, Result};

/// How to cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MiniBatch {
    /// From 1 to the number of rows.
    pub clusters: usize,
    /// Rows drawn for one batch, with replacement.
    pub batch_rows: usize,
    pub batches: usize,
    pub seed: u64,
}

impl Default for MiniBatch {
    fn default() -> Self {
        Self { clusters: 5, batch_rows: 4096, batches: 100, seed: 0 }
    }
}

/// The starting centres are drawn from this many batches of rows.
const SEEDING_BATCHES: usize = 3;

impl MiniBatch {
    /// `x` is row-major with `columns` numbers a row; `iterations` of the result are the batches. Fails for no rows, more
    /// clusters than rows, and a number that is not finite, naming its row and column.
    pub fn fit(&self, x: &[f64], columns: usize) -> Result<Clusters> {
        let table = Table::new(x, columns)?;
        check_clusters(self.clusters, table.rows())?;
        if self.batch_rows == 0 {
            return Err(Error::Setting { name: "batch_rows", value: 0.0, valid: "1 or more" });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let sample = self.batch_rows.saturating_mul(SEEDING_BATCHES).max(self.clusters);
        let sample = table.gather(table.draw(sample, &mut rng));
        let sample = Table { x: &sample, columns };
        let (origin, _) = sample.moments();
        let mut centres = plus_plus(&sample, self.clusters, &mut rng);
        let mut counts = vec![0.0; self.clusters];
        for _ in 0..self.batches {
            let batch = table.gather((0..self.batch_rows).map(|_| rng.random_range(0..table.rows())));
            let batch = Table { x: &batch, columns };
            let labels = Nearest::new(&centres, &origin).labels(&batch);
            for (row, cluster) in batch.x.chunks_exact(columns).zip(labels) {
                let cluster = cluster as usize;
                counts[cluster] += 1.0;
                let centre = &mut centres[cluster * columns..][..columns];
                centre.iter_mut().zip(row).for_each(|(c, v)| *c += (v - *c) / counts[cluster]);
            }
        }
        let labels = Nearest::new(&centres, &origin).labels(&table);
        Ok(Clusters::new(&table, centres, labels, self.batches))
    }
}
