//! Whom to tell first so that word of mouth reaches most. In the independent cascade (Kempe, Kleinberg & Tardos 2003) a
//! person who is told tells each neighbour once, who listens with a fixed probability. The chances are drawn once per
//! simulation, before any choice: all choices are then compared in the same worlds, and a gain is an exact count.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::Graph;
use crate::error::{Error, Result};

/// How the seeds are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedMethod {
    /// Always the node that adds most to the mean reach of the simulations, at least 63 % of the best possible; nodes are
    /// looked at again only when they may be next (CELF, Leskovec et al. 2007). Every node is tried in every simulation.
    Greedy { simulations: usize, seed: u64 },
    /// Always the node of highest degree, less what its chosen neighbours already reach (Chen, Wang & Yang 2009). Nearly as
    /// good for small probabilities, in the time of one pass; made for undirected graphs.
    DegreeDiscount,
}

/// How to choose seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeedSettings {
    /// Number of seeds; all nodes where there are fewer.
    pub count: usize,
    /// Chance that telling over an edge of weight 1 succeeds, 0 to 1; over weight w it is 1 − (1 − p)^w, as of w edges.
    pub probability: f64,
    pub method: SeedMethod,
}

impl Default for SeedSettings {
    fn default() -> Self {
        Self { count: 10, probability: 0.05, method: SeedMethod::Greedy { simulations: 200, seed: 0 } }
    }
}

/// A chosen node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seed {
    pub node: u32,
    /// Nodes that it adds to the mean reach, itself included; for `DegreeDiscount` its discounted degree.
    pub gain: f64,
}

/// Seeds in the order in which they are chosen; of equal ones the smaller node comes first.
pub fn seeds(graph: &Graph, settings: SeedSettings) -> Result<Vec<Seed>> {
    let SeedSettings { count, probability, method } = settings;
    check_probability(probability)?;
    match method {
        SeedMethod::Greedy { simulations, seed } => {
            let worlds = Worlds::draw(graph, probability, simulations, seed)?;
            Ok(greedy(&worlds, count.min(graph.nodes())))
        }
        SeedMethod::DegreeDiscount => Ok(degree_discount(graph, probability, count.min(graph.nodes()))),
    }
}

/// Mean number of nodes that the given ones reach, themselves included, over so many simulations. Fails for an unknown
/// node.
pub fn spread(graph: &Graph, from: &[u32], probability: f64, simulations: usize, seed: u64) -> Result<f64> {
    check_probability(probability)?;
    if let Some(row) = from.iter().position(|&node| node as usize >= graph.nodes()) {
        let valid = "below the number of nodes";
        return Err(Error::Value { what: "seed node", row, value: f64::from(from[row]), valid });
    }
    let worlds = Worlds::draw(graph, probability, simulations, seed)?;
    Ok(worlds.reach(&worlds.nobody(), from, &mut Walk::default()) as f64 / simulations as f64)
}

fn check_probability(probability: f64) -> Result<()> {
    if (0.0..=1.0).contains(&probability) {
        return Ok(());
    }
    Err(Error::Setting { name: "probability", value: probability, valid: "between 0 and 1" })
}

/// Simulations, each the edges over which telling succeeds.
struct Worlds<'a> {
    graph: &'a Graph,
    /// Places in the graph's edges, ascending.
    live: Vec<Vec<u32>>,
}

/// Nodes tried by one thread at a time: enough to pay for the memory of a walk.
const FEW_WALKS: usize = 256;

/// A bit per node and simulation.
type Told = Vec<Vec<u64>>;

impl<'a> Worlds<'a> {
    fn draw(graph: &'a Graph, probability: f64, simulations: usize, seed: u64) -> Result<Self> {
        if simulations == 0 {
            return Err(Error::Setting { name: "simulations", value: 0.0, valid: "1 or more" });
        }
        let (found, most) = (graph.edges.len(), u32::MAX as usize);
        if found > most {
            return Err(Error::TooMany { what: "a simulation", things: "edges", found, most });
        }
        let chance: Vec<f64> = graph.edges.iter().map(|(_, w)| -(w * (-probability).ln_1p()).exp_m1()).collect();
        let world = |stream: usize| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream as u64);
            (0..found as u32).filter(|&edge| rng.random::<f64>() < chance[edge as usize]).collect()
        };
        Ok(Self { graph, live: (0..simulations).into_par_iter().map(world).collect() })
    }

    fn nobody(&self) -> Told {
        vec![vec![0; self.graph.nodes().div_ceil(64)]; self.live.len()]
    }

    /// Nodes that `from` reaches beyond those who have been told, over all simulations.
    fn reach(&self, told: &Told, from: &[u32], walk: &mut Walk) -> u64 {
        (0..self.live.len()).map(|world| self.walk(world, &told[world], from, walk).len() as u64).sum()
    }

    /// Nodes that `from` reaches in one simulation beyond those who have been told: what those reach, they reached.
    fn walk<'w>(&self, world: usize, told: &[u64], from: &[u32], walk: &'w mut Walk) -> &'w [u32] {
        walk.start(self.graph.nodes());
        let live = &self.live[world];
        from.iter().for_each(|&node| walk.visit(node, told));
        let mut next = 0;
        while let Some(&node) = walk.reached.get(next) {
            next += 1;
            let (start, end) = (self.graph.offsets[node as usize], self.graph.offsets[node as usize + 1]);
            let first = live.partition_point(|&edge| (edge as usize) < start);
            for &edge in live[first..].iter().take_while(|&&edge| (edge as usize) < end) {
                walk.visit(self.graph.edges[edge as usize].0, told);
            }
        }
        &walk.reached
    }
}

/// What one walk has reached, kept between walks for its memory.
#[derive(Default)]
struct Walk {
    reached: Vec<u32>,
    /// The last walk that came to each node.
    seen: Vec<u32>,
    number: u32,
}

impl Walk {
    fn start(&mut self, nodes: usize) {
        self.reached.clear();
        if self.seen.len() != nodes || self.number == u32::MAX {
            (self.seen, self.number) = (vec![0; nodes], 0);
        }
        self.number += 1;
    }

    fn visit(&mut self, node: u32, told: &[u64]) {
        let is_told = told[node as usize / 64] >> (node % 64) & 1 == 1;
        if !is_told && self.seen[node as usize] != self.number {
            self.seen[node as usize] = self.number;
            self.reached.push(node);
        }
    }
}

fn greedy(worlds: &Worlds<'_>, count: usize) -> Vec<Seed> {
    let simulations = worlds.live.len();
    let mut told = worlds.nobody();
    let alone = |walk: &mut Walk, node: u32| (worlds.reach(&told, &[node], walk), Reverse(node), 0);
    let nodes = (0..worlds.graph.nodes() as u32).into_par_iter().with_min_len(FEW_WALKS);
    let mut heap: BinaryHeap<_> = nodes.map_init(Walk::default, alone).collect::<Vec<_>>().into();
    let mut chosen: Vec<Seed> = vec![];
    let mut walk = Walk::default();
    while chosen.len() < count {
        let Some((gain, Reverse(node), counted)) = heap.pop() else { break };
        // Gains only shrink as more are told, so an up-to-date one at the top is the largest.
        if counted < chosen.len() {
            heap.push((worlds.reach(&told, &[node], &mut walk), Reverse(node), chosen.len()));
            continue;
        }
        chosen.push(Seed { node, gain: gain as f64 / simulations as f64 });
        for (world, told) in told.iter_mut().enumerate() {
            worlds.walk(world, told, &[node], &mut walk);
            walk.reached.iter().for_each(|&v| told[v as usize / 64] |= 1 << (v % 64));
        }
    }
    chosen
}

/// d − 2t − (d − t) · t · p for a node of degree d of which t lead to seeds; weights count as so many edges.
fn degree_discount(graph: &Graph, probability: f64, count: usize) -> Vec<Seed> {
    let degree: Vec<f64> = (0..graph.nodes()).map(|v| graph.strength(v)).collect();
    let mut to_seeds = vec![0.0; graph.nodes()];
    let mut is_chosen = vec![false; graph.nodes()];
    let mut discounted = degree.clone();
    let order = |(a, v): &(f64, u32), (b, w): &(f64, u32)| a.total_cmp(b).then(w.cmp(v));
    let mut chosen = vec![];
    for _ in 0..count {
        let open = (0..graph.nodes()).filter(|&v| !is_chosen[v]).map(|v| (discounted[v], v as u32));
        let Some((gain, node)) = open.max_by(order) else { break };
        is_chosen[node as usize] = true;
        chosen.push(Seed { node, gain });
        for &(v, weight) in graph.edges(node as usize) {
            let v = v as usize;
            to_seeds[v] += weight;
            discounted[v] = degree[v] - 2.0 * to_seeds[v] - (degree[v] - to_seeds[v]) * to_seeds[v] * probability;
        }
    }
    chosen
}
