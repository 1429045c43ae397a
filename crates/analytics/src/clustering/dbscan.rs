//! DBSCAN: clusters are what hangs together in dense regions, of any shape and number, and rows in thin regions are noise.
//! A row with `min_points` rows within `eps` is a core row; core rows within `eps` of each other share a cluster; another
//! row joins the first cluster that has a core row within `eps`. Clusters are numbered by their first core row, as in
//! scikit-learn. Ester, Kriegel, Sander & Xu, 'A density-based algorithm for discovering clusters' (1996).

use rayon::prelude::*;

use super::kd_tree::KdTree;
use super::table::Table;
use crate::error::{Error, Result};

/// How dense a cluster is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dbscan {
    /// Largest Euclidean distance between neighbours, in the columns' unit; above 0.
    pub eps: f64,
    /// Rows within `eps` that make a row a core row, itself included; 1 or more.
    pub min_points: usize,
}

impl Default for Dbscan {
    fn default() -> Self {
        Self { eps: 0.5, min_points: 5 }
    }
}

/// Rows by the dense region they lie in.
#[derive(Debug, Clone, PartialEq)]
pub struct Regions {
    /// Cluster of each row; `None` is noise.
    pub labels: Vec<Option<u32>>,
    /// Whether each row is a core row.
    pub core: Vec<bool>,
    pub clusters: usize,
}

impl Dbscan {
    /// `x` is row-major with `columns` numbers a row. Fails for no rows, an `eps` that is not above 0, and a number that
    /// is not finite, naming its row and column.
    pub fn fit(&self, x: &[f64], columns: usize) -> Result<Regions> {
        if !(self.eps > 0.0 && self.eps.is_finite()) {
            return Err(Error::Setting { name: "eps", value: self.eps, valid: "above 0 and finite" });
        }
        if self.min_points == 0 {
            return Err(Error::Setting { name: "min_points", value: 0.0, valid: "1 or more" });
        }
        let tree = KdTree::new(&Table::new(x, columns)?);
        let search = Search { squared: self.eps * self.eps, min_points: self.min_points, tree };
        Ok(search.run(x.len() / columns))
    }
}

struct Search {
    squared: f64,
    min_points: usize,
    tree: KdTree,
}

/// The label of rows that have no cluster yet.
const NONE: u32 = u32::MAX;

impl Search {
    fn run(&self, rows: usize) -> Regions {
        let core: Vec<bool> = (0..rows).into_par_iter().map(|place| self.is_core(place)).collect();
        let (found, clusters) = self.connect(&core);
        let join = |place: usize| if core[place] { found[place] } else { self.first_cluster(place, &found) };
        let joined: Vec<u32> = (0..rows).into_par_iter().map(join).collect();
        let mut regions = Regions { labels: vec![None; rows], core: vec![false; rows], clusters };
        for place in 0..rows {
            regions.labels[self.tree.row(place)] = (joined[place] != NONE).then_some(joined[place]);
            regions.core[self.tree.row(place)] = core[place];
        }
        regions
    }

    fn is_core(&self, place: usize) -> bool {
        let mut count = 0;
        self.tree.within(
            place,
            self.squared,
            |_| true,
            |_| {
                count += 1;
                count < self.min_points
            },
        );
        count >= self.min_points
    }

    /// Cluster of each core place (others have none), and how many clusters there are. A node is open while it holds a
    /// core place without a cluster.
    fn connect(&self, core: &[bool]) -> (Vec<u32>, usize) {
        let mut open = vec![0u32; self.tree.nodes()];
        let mut places: Vec<usize> = (0..core.len()).filter(|&place| core[place]).collect();
        places.iter().for_each(|&place| self.tree.nodes_of(place).for_each(|node| open[node] += 1));
        places.sort_unstable_by_key(|&place| self.tree.row(place));
        let mut found = vec![NONE; core.len()];
        let mut clusters = 0;
        for first in places {
            if found[first] != NONE {
                continue;
            }
            let mut waiting = vec![first];
            while let Some(place) = waiting.pop() {
                let before = waiting.len();
                self.tree.within(
                    place,
                    self.squared,
                    |node| open[node] > 0,
                    |other| {
                        if core[other] && found[other] == NONE {
                            found[other] = clusters;
                            waiting.push(other);
                        }
                        true
                    },
                );
                for &taken in &waiting[before..] {
                    self.tree.nodes_of(taken).for_each(|node| open[node] -= 1);
                }
            }
            clusters += 1;
        }
        (found, clusters as usize)
    }

    /// The lowest cluster with a core row in reach, or `NONE`.
    fn first_cluster(&self, place: usize, found: &[u32]) -> u32 {
        let mut first = NONE;
        self.tree.within(
            place,
            self.squared,
            |_| true,
            |other| {
                first = first.min(found[other]);
                true
            },
        );
        first
    }
}
