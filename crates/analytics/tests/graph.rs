//! Graphs against networkx (the karate club, a random digraph), and against brute force.

use crate::support::{assert_close, numbers, oracle};
use analytics::Error;
use analytics::graph::{
    CommunitySettings, Graph, Layer, LayerSettings, PageRankSettings, SeedMethod, SeedSettings, communities, layers,
    modularity, page_rank, seeds, spread,
};
use proptest::prelude::*;

fn edges(file: &str) -> (Vec<u32>, Vec<u32>, Vec<f64>) {
    let rows: Vec<Vec<f64>> = oracle(file).iter().map(|row| numbers(row)).collect();
    let column = |k: usize| rows.iter().map(|r| r[k] as u32).collect();
    (column(0), column(1), rows.iter().map(|r| r[2]).collect())
}

fn karate(is_weighted: bool) -> Graph {
    let (from, to, weights) = edges("karate.csv");
    Graph::undirected(34, &from, &to, if is_weighted { &weights } else { &[] }).unwrap()
}

fn expected(what: &str) -> f64 {
    oracle("graph.csv").iter().find(|row| row[0] == what).unwrap_or_else(|| panic!("{what}"))[1].parse().unwrap()
}

/// `karate_nodes.csv` and `digraph_rank.csv`: networkx.pagerank at a tolerance of 1e-15; the digraph has dangling nodes.
#[test]
fn ranks_equal_networkx() {
    for (is_weighted, column) in [(true, 2), (false, 3)] {
        let found = page_rank(&karate(is_weighted), PageRankSettings::default()).unwrap();
        for (found, row) in found.iter().zip(oracle("karate_nodes.csv")) {
            assert_close(&row[0], *found, row[column].parse().unwrap(), 1e-11);
        }
    }
    let (from, to, weights) = edges("digraph.csv");
    let graph = Graph::directed(40, &from, &to, &weights).unwrap();
    assert!((0..40).any(|v| graph.edges(v).is_empty()));
    for (damping, column) in [(0.85, 1), (0.5, 2)] {
        let found = page_rank(&graph, PageRankSettings { damping, ..PageRankSettings::default() }).unwrap();
        for (found, row) in found.iter().zip(oracle("digraph_rank.csv")) {
            assert_close(&row[0], *found, row[column].parse().unwrap(), 1e-11);
        }
    }
}

/// `graph.csv`: networkx.community.modularity of the two clubs that the karate club fell into.
#[test]
fn modularity_equals_networkx() {
    let clubs: Vec<u32> = oracle("karate_nodes.csv").iter().map(|row| row[1].parse().unwrap()).collect();
    let check = |what, graph: &Graph, resolution| {
        assert_close(what, modularity(graph, &clubs, resolution).unwrap(), expected(what), 1e-12);
    };
    check("modularity_weighted", &karate(true), 1.0);
    check("modularity_plain", &karate(false), 1.0);
    check("modularity_resolution_2", &karate(true), 2.0);
    let (mut from, mut to, mut weights) = edges("karate.csv");
    from.push(3);
    to.push(3);
    weights.push(5.0);
    check("modularity_loop", &Graph::undirected(34, &from, &to, &weights).unwrap(), 1.0);
    // A directed graph counts the same both ways.
    check("modularity_loop", &Graph::directed(34, &from, &to, &weights).unwrap(), 1.0);
}

/// `graph.csv`: networkx.community.louvain_communities over 200 seeds has a least, mean and largest modularity.
#[test]
fn communities_are_as_good_as_those_of_networkx() {
    for (is_weighted, name) in [(true, "weighted"), (false, "plain")] {
        let graph = karate(is_weighted);
        let of = |seed| communities(&graph, CommunitySettings { seed, ..CommunitySettings::default() }).unwrap();
        let found: Vec<f64> = (0..200).map(|seed| of(seed).modularity).collect();
        let [least, mean, most] = ["least", "mean", "most"].map(|k| expected(&format!("louvain_{name}_{k}")));
        let (low, high) = found.iter().fold((1.0f64, 0.0f64), |(low, high), &q| (low.min(q), high.max(q)));
        assert_close("the best", high, most, 1e-9);
        assert!(low > least - 0.02, "{low} against {least}");
        assert_close("the mean", found.iter().sum::<f64>() / 200.0, mean, 0.01);
        assert_eq!(of(3), of(3));
        assert_close("its own", modularity(&graph, &of(3).labels, 1.0).unwrap(), of(3).modularity, 1e-15);
    }
}

#[test]
fn cliques_are_communities() {
    let mut pairs: Vec<(u32, u32)> = vec![(0, 5), (5, 10), (10, 15)];
    for clique in 0..4 {
        (0..5).for_each(|i| (0..i).for_each(|j| pairs.push((5 * clique + i, 5 * clique + j))));
    }
    let (from, to): (Vec<u32>, Vec<u32>) = pairs.into_iter().unzip();
    let graph = Graph::undirected(21, &from, &to, &[]).unwrap();
    let expected: Vec<u32> = (0..21).map(|v| v / 5).collect();
    for seed in 0..20 {
        let found = communities(&graph, CommunitySettings { seed, ..CommunitySettings::default() }).unwrap();
        assert_eq!(found.labels, expected, "node 20 has no edges and is its own");
    }
}

#[test]
fn layers_follow_their_rule() {
    let ranks = [0.1, 0.2, 0.3, 0.15, 0.15, 0.05];
    let activity = [1.0, 5.0, 0.0, 2.0, 3.0, 1.0];
    let of = |leaders| layers(&ranks, &activity, LayerSettings { leaders, least_activity: 1.0 }).unwrap();
    use Layer::{Active as A, OpinionLeader as L, Silent as S};
    assert_eq!(of(0.2), [A, L, S, A, A, A]);
    assert_eq!(of(0.4), [A, L, S, A, A, A], "the two equal ones do not both fit");
    assert_eq!(of(0.6), [A, L, S, L, L, A]);
    assert_eq!(of(0.0), [A, A, S, A, A, A]);
    assert_eq!(of(1.0), [L, L, S, L, L, L]);
    assert_eq!(layers(&[0.5; 9], &[1.0; 9], LayerSettings::default()).unwrap(), [A; 9]);
}

/// `graph.csv`: the algorithm of Chen, Wang & Yang (2009), recomputed from its definition in Python.
#[test]
fn degree_discount_equals_its_definition() {
    let settings = SeedSettings { count: 6, probability: 0.1, method: SeedMethod::DegreeDiscount };
    let found: Vec<f64> = seeds(&karate(false), settings).unwrap().iter().map(|s| f64::from(s.node)).collect();
    assert_eq!(found, (0..6).map(|k| expected(&format!("degree_discount_{k}"))).collect::<Vec<f64>>());
}

/// A star, a chain and a lonely node: with certain success the star's hub comes first and then the chain's head.
#[test]
fn certain_success_reaches_all_that_can_be_reached() {
    let graph = Graph::directed(9, &[0, 0, 0, 0, 5, 6], &[1, 2, 3, 4, 6, 7], &[]).unwrap();
    let method = SeedMethod::Greedy { simulations: 3, seed: 1 };
    let found = seeds(&graph, SeedSettings { count: 20, probability: 1.0, method }).unwrap();
    let found: Vec<(u32, f64)> = found.iter().map(|s| (s.node, s.gain)).collect();
    assert_eq!(found[..3], [(0, 5.0), (5, 3.0), (8, 1.0)]);
    assert_eq!((found.len(), found[3]), (9, (1, 0.0)));
}

#[test]
fn threads_do_not_change_a_bit() {
    let mut n = 1u32;
    let mut random = || {
        n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (n >> 8) % 2000
    };
    let (from, to): (Vec<u32>, Vec<u32>) = (0..8000).map(|_| (random(), random())).unzip();
    let graph = Graph::undirected(2000, &from, &to, &[]).unwrap();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let settings = SeedSettings { count: 5, ..SeedSettings::default() };
            (page_rank(&graph, PageRankSettings::default()).unwrap(), seeds(&graph, settings).unwrap())
        })
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn an_empty_graph_has_empty_answers() {
    let graph = Graph::directed(0, &[], &[], &[]).unwrap();
    assert_eq!(page_rank(&graph, PageRankSettings::default()), Ok(vec![]));
    let found = communities(&graph, CommunitySettings::default()).unwrap();
    assert_eq!((found.labels.len(), found.modularity), (0, 0.0));
    assert_eq!(seeds(&graph, SeedSettings::default()), Ok(vec![]));
    assert_eq!(layers(&[], &[], LayerSettings::default()), Ok(vec![]));
    let lonely = Graph::undirected(2, &[], &[], &[]).unwrap();
    assert_eq!(page_rank(&lonely, PageRankSettings::default()), Ok(vec![0.5, 0.5]));
    assert_eq!(communities(&lonely, CommunitySettings::default()).unwrap().labels, [0, 1]);
    assert_eq!(modularity(&lonely, &[0, 0], 1.0), Ok(0.0));
}

#[test]
fn bad_input_is_named() {
    let of = |to: u32, weight: f64| Graph::directed(2, &[0, 1], &[1, to], &[1.0, weight]);
    assert!(matches!(of(2, 1.0), Err(Error::Value { what: "end of an edge", row: 1, .. })));
    for weight in [-1.0, f64::NAN, f64::INFINITY, 1e-300] {
        assert!(matches!(of(0, weight), Err(Error::Value { what: "weight", row: 1, .. })));
    }
    assert!(matches!(Graph::directed(2, &[0], &[], &[]), Err(Error::Length { .. })));
    let graph = of(0, 0.0).unwrap();
    assert!(graph.edges(1).is_empty(), "weight 0 is no edge");
    for damping in [-0.1, 1.0, f64::NAN] {
        let settings = PageRankSettings { damping, ..PageRankSettings::default() };
        assert!(matches!(page_rank(&graph, settings), Err(Error::Setting { name: "damping", .. })));
    }
    let settings = CommunitySettings { resolution: f64::NAN, seed: 0 };
    assert!(matches!(communities(&graph, settings), Err(Error::Setting { name: "resolution", .. })));
    assert!(matches!(spread(&graph, &[2], 0.5, 10, 0), Err(Error::Value { what: "seed node", row: 0, .. })));
    assert!(matches!(spread(&graph, &[0], 1.5, 10, 0), Err(Error::Setting { name: "probability", .. })));
    assert!(matches!(spread(&graph, &[0], 0.5, 0, 0), Err(Error::Setting { name: "simulations", .. })));
    assert!(matches!(layers(&[f64::NAN], &[1.0], LayerSettings::default()), Err(Error::Value { what: "rank", .. })));
}

/// Mean reach over every subset of the edges, each with its probability.
fn exact_spread(nodes: usize, pairs: &[(u32, u32)], from: &[u32], probability: f64) -> f64 {
    let reach = |live: u32| {
        let mut told: Vec<bool> = (0..nodes as u32).map(|v| from.contains(&v)).collect();
        for _ in 0..nodes {
            for (e, &(a, b)) in pairs.iter().enumerate() {
                told[b as usize] |= live >> e & 1 == 1 && told[a as usize];
            }
        }
        told.iter().filter(|&&t| t).count() as f64
    };
    let chance = |live: u32| {
        let (on, all) = (live.count_ones() as i32, pairs.len() as i32);
        probability.powi(on) * (1.0 - probability).powi(all - on)
    };
    (0..1u32 << pairs.len()).map(|live| chance(live) * reach(live)).sum()
}

fn small_graph() -> impl Strategy<Value = Vec<(u32, u32)>> {
    proptest::collection::btree_set((0..6u32, 0..6u32), 0..9).prop_map(|pairs| pairs.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// 4,000 simulations of a reach of at most 6 have a standard error below 0.05: within five of those.
    #[test]
    fn spread_is_the_mean_over_all_worlds(pairs in small_graph(), p in 0.0..1.0f64, from in 0..6u32) {
        let (a, b): (Vec<u32>, Vec<u32>) = pairs.iter().copied().unzip();
        let graph = Graph::directed(6, &a, &b, &[]).unwrap();
        let found = spread(&graph, &[from, (from + 2) % 6], p, 4000, 7).unwrap();
        prop_assert!((found - exact_spread(6, &pairs, &[from, (from + 2) % 6], p)).abs() < 0.25);
    }

    /// CELF looks at few nodes and chooses what looking at all of them would choose; gains add up to the spread.
    #[test]
    fn lazy_choices_are_greedy_choices(pairs in small_graph(), p in 0.0..1.0f64, seed in any::<u64>()) {
        let (a, b): (Vec<u32>, Vec<u32>) = pairs.into_iter().unzip();
        let graph = Graph::directed(6, &a, &b, &[]).unwrap();
        let method = SeedMethod::Greedy { simulations: 50, seed };
        let found = seeds(&graph, SeedSettings { count: 4, probability: p, method }).unwrap();
        let mut chosen: Vec<u32> = vec![];
        let (mut reached, mut gains) = (0.0, 0.0);
        for seed_node in found {
            let with = |v: u32| spread(&graph, &[chosen.as_slice(), &[v]].concat(), p, 50, seed).unwrap();
            let best = (0..6).filter(|v| !chosen.contains(v)).fold((0, -1.0), |best, v| {
                if with(v) > best.1 { (v, with(v)) } else { best }
            });
            prop_assert_eq!(seed_node.node, best.0);
            prop_assert!((seed_node.gain - (best.1 - reached)).abs() < 1e-9);
            reached = best.1;
            gains += seed_node.gain;
            chosen.push(seed_node.node);
        }
        prop_assert!((gains - reached).abs() < 1e-9);
    }

    /// Ranks add up to 1 and are a fixed point of the walk.
    #[test]
    fn ranks_are_a_fixed_point(pairs in small_graph(), damping in 0.0..0.95f64) {
        let (a, b): (Vec<u32>, Vec<u32>) = pairs.into_iter().unzip();
        let graph = Graph::directed(6, &a, &b, &[]).unwrap();
        let rank = page_rank(&graph, PageRankSettings { damping, ..PageRankSettings::default() }).unwrap();
        let mut next = vec![(1.0 - damping) / 6.0; 6];
        for (v, rank) in rank.iter().enumerate() {
            let out = graph.edges(v).len() as f64;
            graph.edges(v).iter().for_each(|&(to, _)| next[to as usize] += damping * rank / out);
            if out == 0.0 {
                next.iter_mut().for_each(|next| *next += damping * rank / 6.0);
            }
        }
        prop_assert!(rank.iter().zip(&next).all(|(r, n)| (r - n).abs() < 1e-11));
    }

    /// Moves only raise modularity, so it ends at that of single nodes or above.
    #[test]
    fn communities_are_better_than_single_nodes(pairs in small_graph(), seed in any::<u64>()) {
        let (a, b): (Vec<u32>, Vec<u32>) = pairs.into_iter().unzip();
        let graph = Graph::directed(6, &a, &b, &[]).unwrap();
        let found = communities(&graph, CommunitySettings { seed, ..CommunitySettings::default() }).unwrap();
        let alone = modularity(&graph, &[0, 1, 2, 3, 4, 5], 1.0).unwrap();
        let together = modularity(&graph, &[0; 6], 1.0).unwrap();
        prop_assert!(found.modularity >= alone - 1e-12 && together.abs() < 1e-12 && found.modularity < 1.0);
    }
}
