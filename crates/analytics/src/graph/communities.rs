//! Groups of nodes with more edges among them than chance would put there, by the Louvain method (Blondel et al. 2008):
//! nodes move to the neighbouring group that raises modularity most, groups become nodes, and so on until nothing moves.
//! The order of visits is drawn from the seed and the work is on one thread, so the labels are the same everywhere.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::Graph;
use crate::error::{Error, Result, same_length};

/// How to look for communities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CommunitySettings {
    /// Above 1 for smaller communities, below for larger ones; above 0.
    pub resolution: f64,
    pub seed: u64,
}

impl Default for CommunitySettings {
    fn default() -> Self {
        Self { resolution: 1.0, seed: 0 }
    }
}

/// A community for each node, and how good they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Communities {
    /// Label of each node, 0 and up, in the order in which the nodes come to them.
    pub labels: Vec<u32>,
    /// See `modularity`.
    pub modularity: f64,
}

/// Least gain in modularity for which a node moves: anything smaller is rounding, and could go round in circles.
const LEAST_GAIN: f64 = 1e-12;

/// Communities of a graph; of a directed one, whose edges count the same both ways. A node without edges is its own.
pub fn communities(graph: &Graph, settings: CommunitySettings) -> Result<Communities> {
    check_resolution(settings.resolution)?;
    let mut labels: Vec<u32> = (0..graph.nodes() as u32).collect();
    let mut level = Level::of(graph);
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    loop {
        let (groups, moved) = level.move_nodes(settings.resolution, &mut rng);
        if !moved {
            break;
        }
        let groups = renumbered(&groups);
        labels.iter_mut().for_each(|label| *label = groups[*label as usize]);
        level = level.merged(&groups);
    }
    let labels = renumbered(&labels);
    let modularity = modularity(graph, &labels, settings.resolution)?;
    Ok(Communities { labels, modularity })
}

/// Σ over groups of (weight inside / all weight) − resolution · (strength of its nodes / all strength)² (Newman 2004); 0
/// for a graph without edges. `labels` has one entry per node; the directions of edges do not count.
pub fn modularity(graph: &Graph, labels: &[u32], resolution: f64) -> Result<f64> {
    check_resolution(resolution)?;
    same_length("labels", graph.nodes(), labels.len())?;
    let labels = renumbered(labels);
    let groups = labels.iter().max().map_or(0, |&most| most as usize + 1);
    let level = Level::of(graph);
    let (mut inside, mut strength) = (vec![0.0; groups], vec![0.0; groups]);
    for (v, &label) in labels.iter().enumerate() {
        strength[label as usize] += level.strength[v];
        let near = level.graph.edges(v).iter().filter(|&&(to, _)| labels[to as usize] == label);
        inside[label as usize] += level.own[v] + near.map(|(_, weight)| weight).sum::<f64>();
    }
    let share = |sum: f64| if level.total > 0.0 { sum / level.total } else { 0.0 };
    Ok(inside.iter().zip(&strength).map(|(i, s)| share(*i) - resolution * share(*s).powi(2)).sum())
}

fn check_resolution(resolution: f64) -> Result<()> {
    if resolution > 0.0 && resolution <= 1e6 {
        return Ok(());
    }
    Err(Error::Setting { name: "resolution", value: resolution, valid: "above 0 and at most 1e6" })
}

/// The same groups, numbered in the order of their first node.
fn renumbered(labels: &[u32]) -> Vec<u32> {
    let mut numbers = std::collections::HashMap::new();
    let number = |&label: &u32| {
        let next = numbers.len() as u32;
        *numbers.entry(label).or_insert(next)
    };
    labels.iter().map(number).collect()
}

/// A symmetric graph without its loops.
struct Level {
    graph: Graph,
    /// Weight of each node's edges to itself, seen from both ends.
    own: Vec<f64>,
    /// Weight of all edge ends at each node.
    strength: Vec<f64>,
    /// Weight of all edge ends.
    total: f64,
}

impl Level {
    fn of(graph: &Graph) -> Self {
        let ends = |from: usize| graph.edges(from).iter().map(move |&(to, weight)| (from as u32, to, weight));
        let mut edges: Vec<(u32, u32, f64)> = (0..graph.nodes()).flat_map(ends).collect();
        // A loop has both ends at its node; an undirected edge has been met from both ends already.
        let seen_once = |&&(from, to, _): &&(u32, u32, f64)| from == to || !graph.is_undirected;
        let back: Vec<_> = edges.iter().filter(seen_once).map(|&(from, to, weight)| (to, from, weight)).collect();
        edges.extend(back);
        Self::new(graph.nodes(), edges)
    }

    /// Of edges in both directions, a loop with the weight of its two ends.
    fn new(nodes: usize, edges: Vec<(u32, u32, f64)>) -> Self {
        let mut own = vec![0.0; nodes];
        edges.iter().filter(|(from, to, _)| from == to).for_each(|&(from, _, weight)| own[from as usize] += weight);
        let graph = Graph::of(nodes, edges.into_iter().filter(|(from, to, _)| from != to).collect());
        let strength: Vec<f64> = (0..nodes).map(|v| own[v] + graph.strength(v)).collect();
        let total = strength.iter().sum();
        Self { graph, own, strength, total }
    }

    /// The group of each node once no node gains by moving, and whether any did.
    fn move_nodes(&self, resolution: f64, rng: &mut ChaCha8Rng) -> (Vec<u32>, bool) {
        let nodes = self.graph.nodes();
        let mut groups: Vec<u32> = (0..nodes as u32).collect();
        let mut strength = self.strength.clone();
        let mut order: Vec<usize> = (0..nodes).collect();
        order.shuffle(rng);
        let mut near = vec![0.0; nodes];
        let mut ever = false;
        loop {
            let mut moved = false;
            for &v in &order {
                let edges = self.graph.edges(v);
                edges.iter().for_each(|&(to, weight)| near[groups[to as usize] as usize] += weight);
                strength[groups[v] as usize] -= self.strength[v];
                let gain = |group: u32| {
                    let group = group as usize;
                    near[group] - resolution * strength[group] * (self.strength[v] / self.total)
                };
                let mut best = (groups[v], gain(groups[v]) + LEAST_GAIN * self.total);
                for group in edges.iter().map(|&(to, _)| groups[to as usize]) {
                    if gain(group) > best.1 {
                        best = (group, gain(group));
                    }
                }
                edges.iter().for_each(|&(to, _)| near[groups[to as usize] as usize] = 0.0);
                moved |= best.0 != groups[v];
                groups[v] = best.0;
                strength[best.0 as usize] += self.strength[v];
            }
            ever |= moved;
            if !moved {
                return (groups, ever);
            }
        }
    }

    /// The graph of groups 0, 1, 2 …
    fn merged(&self, groups: &[u32]) -> Self {
        let count = groups.iter().max().map_or(0, |&most| most as usize + 1);
        let of = |v: usize| {
            let edges = self.graph.edges(v).iter().map(move |&(to, weight)| (groups[v], groups[to as usize], weight));
            edges.chain((self.own[v] > 0.0).then(|| (groups[v], groups[v], self.own[v])))
        };
        Self::new(count, (0..groups.len()).flat_map(of).collect())
    }
}
