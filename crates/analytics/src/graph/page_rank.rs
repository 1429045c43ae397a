//! PageRank: the share of time that a walker spends at each node who follows an edge by its weight, and now and then
//! (or where no edge leaves) starts again anywhere (Page & Brin 1998; the definition of networkx). Each step shrinks the
//! error by the damping, so the number of steps follows from the tolerance, and the walk never fails to settle.

use rayon::prelude::*;

use super::Graph;
use crate::error::{Error, Result};

/// How to rank.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageRankSettings {
    /// Chance of following an edge; 0 or more and at most 0.999.
    pub damping: f64,
    /// Largest error of all ranks together, above 0.
    pub tolerance: f64,
}

impl Default for PageRankSettings {
    fn default() -> Self {
        Self { damping: 0.85, tolerance: 1e-12 }
    }
}

/// Rank of each node; they add up to 1. Edges pass rank on in the direction in which they lead.
pub fn page_rank(graph: &Graph, settings: PageRankSettings) -> Result<Vec<f64>> {
    let PageRankSettings { damping, tolerance } = settings;
    if !(0.0..=0.999).contains(&damping) {
        return Err(Error::Setting { name: "damping", value: damping, valid: "between 0 and 0.999" });
    }
    if !(tolerance > 0.0 && tolerance.is_finite()) {
        return Err(Error::Setting { name: "tolerance", value: tolerance, valid: "above 0 and finite" });
    }
    let nodes = graph.nodes() as f64;
    let incoming = graph.reversed();
    let strength: Vec<f64> = (0..graph.nodes()).map(|v| graph.strength(v)).collect();
    let mut rank = vec![1.0 / nodes; graph.nodes()];
    // Two distributions differ by 2 at most.
    let mut error = 2.0;
    while error > tolerance {
        let along: Vec<f64> = rank.iter().zip(&strength).map(|(r, s)| if *s > 0.0 { r / s } else { 0.0 }).collect();
        let stuck: f64 = rank.iter().zip(&strength).filter(|(_, s)| **s == 0.0).map(|(r, _)| r).sum();
        let anywhere = (1.0 - damping + damping * stuck) / nodes;
        let pull = |v: usize| {
            let arriving: f64 = incoming.edges(v).iter().map(|&(from, weight)| weight * along[from as usize]).sum();
            anywhere + damping * arriving
        };
        rank = (0..graph.nodes()).into_par_iter().map(pull).collect();
        error *= damping;
    }
    let total: f64 = rank.iter().sum();
    Ok(rank.into_iter().map(|r| r / total).collect())
}
