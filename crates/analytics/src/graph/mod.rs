//! Who influences whom: ranks, communities, layers and the people to tell first, on a graph of weighted edges between
//! nodes 0, 1, 2 …. A graph is made once, with edges between the same two nodes added up; each question is one function
//! of it. Answers are one entry per node, and an empty graph has an empty answer.

mod communities;
mod influence;
mod layers;
mod page_rank;

pub use communities::{Communities, CommunitySettings, communities, modularity};
pub use influence::{Seed, SeedMethod, SeedSettings, seeds, spread};
pub use layers::{Layer, LayerSettings, layers};
pub use page_rank::{PageRankSettings, page_rank};

use std::ops::RangeInclusive;

use crate::error::{Error, Result, same_length};

/// Weighted edges by the node they leave, each target once and ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// Edges of node `v` are `edges[offsets[v]..offsets[v + 1]]`.
    offsets: Vec<usize>,
    edges: Vec<(u32, f64)>,
    /// Every edge is there both ways.
    is_undirected: bool,
}

/// Weights of edges that are there: sums over all of them, and ratios of two, stay finite.
const WEIGHTS: RangeInclusive<f64> = 1e-9..=1e15;

impl Graph {
    /// Edge `e` leads from `from[e]` to `to[e]`, both below `nodes`; `weights` are 0 or more, and all 1 where none are given. An
    /// edge of weight 0 is none. Fails for an unknown node and an invalid weight, naming the edge.
    pub fn directed(nodes: usize, from: &[u32], to: &[u32], weights: &[f64]) -> Result<Self> {
        check(nodes, from, to, weights)?;
        let weight = |e: usize| weights.get(e).copied().unwrap_or(1.0);
        Ok(Self::of(nodes, (0..from.len()).map(|e| (from[e], to[e], weight(e))).collect()))
    }

    /// The same, each edge leading both ways (an edge from a node to itself counts once).
    pub fn undirected(nodes: usize, from: &[u32], to: &[u32], weights: &[f64]) -> Result<Self> {
        check(nodes, from, to, weights)?;
        let weight = |e: usize| weights.get(e).copied().unwrap_or(1.0);
        let forward = (0..from.len()).map(|e| (from[e], to[e], weight(e)));
        let back = (0..from.len()).filter(|&e| from[e] != to[e]).map(|e| (to[e], from[e], weight(e)));
        Ok(Self { is_undirected: true, ..Self::of(nodes, forward.chain(back).collect()) })
    }

    pub fn nodes(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Targets and weights of the edges that leave a node, which is below `nodes()`.
    pub fn edges(&self, node: usize) -> &[(u32, f64)] {
        &self.edges[self.offsets[node]..self.offsets[node + 1]]
    }

    /// Weight of all edges that leave a node.
    fn strength(&self, node: usize) -> f64 {
        self.edges(node).iter().map(|(_, weight)| weight).sum()
    }

    /// The same edges, each the other way round.
    fn reversed(&self) -> Self {
        let edges =
            (0..self.nodes()).flat_map(|from| self.edges(from).iter().map(move |&(to, w)| (to, from as u32, w)));
        Self::of(self.nodes(), edges.collect())
    }

    /// Stable sort: weights of one edge are added in the order given.
    fn of(nodes: usize, mut edges: Vec<(u32, u32, f64)>) -> Self {
        edges.retain(|(_, _, weight)| *weight > 0.0);
        edges.sort_by_key(|&(from, to, _)| (from, to));
        edges.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            kept.2 += if same { next.2 } else { 0.0 };
            same
        });
        let offsets = (0..=nodes).map(|v| edges.partition_point(|&(from, _, _)| (from as usize) < v)).collect();
        Self { offsets, edges: edges.into_iter().map(|(_, to, weight)| (to, weight)).collect(), is_undirected: false }
    }
}

fn check(nodes: usize, from: &[u32], to: &[u32], weights: &[f64]) -> Result<()> {
    same_length("ends of edges", from.len(), to.len())?;
    if !weights.is_empty() {
        same_length("weights", from.len(), weights.len())?;
    }
    for (what, ends) in [("start of an edge", from), ("end of an edge", to)] {
        if let Some(row) = ends.iter().position(|&node| node as usize >= nodes) {
            return Err(Error::Value { what, row, value: f64::from(ends[row]), valid: "below the number of nodes" });
        }
    }
    match weights.iter().position(|w| *w != 0.0 && !WEIGHTS.contains(w)) {
        Some(row) => {
            Err(Error::Value { what: "weight", row, value: weights[row], valid: "0, or between 1e-9 and 1e15" })
        }
        None => Ok(()),
    }
}
