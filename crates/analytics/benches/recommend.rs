//! Item neighbours and ALS on a file of `user item …` lines, and what they took.
//!
//! `cargo bench -p analytics --bench recommend -- ml-1m.txt`; `benches/peers/recommend_implicit.py` does the same with
//! implicit. Each judges the models by the users' last items, which they have not seen.

#![allow(clippy::print_stdout)]

mod support;

use std::collections::BTreeMap;
use std::time::Instant;

use analytics::metrics::{NOT_RANKED, hit_rate, ndcg};
use analytics::recommend::{Als, AlsSettings, Interactions, ItemNeighbours, KnnSettings, Recommendation};
use support::peak_memory;

fn main() {
    let Some(file) = std::env::args().skip(1).find(|argument| argument != "--bench") else {
        println!("nothing to do; see the top of crates/analytics/benches/recommend.rs");
        return;
    };
    let text = std::fs::read_to_string(file).expect("the file is readable");
    let mut users: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for line in text.lines() {
        let mut ids = line.split_whitespace().map(|id| id.parse::<u32>().expect("an id"));
        let user = ids.next().expect("a user");
        users.entry(user).or_default().extend(ids);
    }
    let catalogue = users.values().flatten().max().map_or(0, |&item| item as usize + 1);
    let last: Vec<u32> = users.values_mut().map(|items| items.pop().expect("an item")).collect();
    let mut offsets = vec![0];
    users.values().for_each(|items| offsets.push(offsets[offsets.len() - 1] + items.len()));
    let items: Vec<u32> = users.into_values().flatten().collect();
    let weights = vec![1.0; items.len()];
    let histories = Interactions { offsets: &offsets, items: &items, weights: &weights, catalogue };

    let started = Instant::now();
    let settings = KnnSettings { neighbours: 50, shrinkage: 0.0 };
    let knn = ItemNeighbours::fit(&histories, &settings).expect("interactions are well-formed");
    println!("neighbours: {:.3} s", started.elapsed().as_secs_f64());
    let started = Instant::now();
    report(knn.recommend(&histories, 10).expect("the same catalogue"), &last, started);

    let started = Instant::now();
    let settings = AlsSettings { factors: 64, iterations: 15, l2: 1.0, alpha: 1.0, ..Default::default() };
    let als = Als::fit(&histories, &settings).expect("interactions are well-formed");
    println!("ALS, 64 factors, 15 iterations: {:.3} s", started.elapsed().as_secs_f64());
    let started = Instant::now();
    report(als.recommend(&histories, 10).expect("the same catalogue"), &last, started);
    println!("peak memory {} MB", peak_memory());
}

fn report(found: Vec<Recommendation>, last: &[u32], started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    let mut ranks = vec![NOT_RANKED; last.len()];
    for of_user in found.chunk_by(|a, b| a.user == b.user) {
        let user = of_user[0].user as usize;
        let place = of_user.iter().position(|r| r.item == last[user]);
        ranks[user] = place.map_or(NOT_RANKED, |place| place as u32 + 1);
    }
    let (hits, gain) = (hit_rate(&ranks, 10).expect("users"), ndcg(&ranks, 10).expect("users"));
    println!("  10 best of {} users: {seconds:.3} s, HR@10 {hits:.4}, NDCG@10 {gain:.4}", last.len());
}
