//! Itemsets and rules of a file with one basket of item numbers on a line, or of made-up baskets, and what they took.
//!
//! `cargo bench -p analytics --bench baskets -- baskets.txt .005` reads a file; `benches/peers/baskets_mlxtend.py` writes
//! one of real invoices and does the same in mlxtend. `… -- 2000000x10000 .0005` makes up that many baskets of that many
//! products, of which the k-th is bought in proportion to 1/k.

#![allow(clippy::print_stdout)]

mod support;

use std::time::Instant;

use analytics::baskets::{ItemsetSettings, MinSupport, RuleSettings, association_rules, frequent_itemsets};
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use support::peak_memory;

/// Items of a made-up basket are one more than a geometric number with this mean.
const MEAN_MORE: f64 = 7.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [source, min_support] = arguments.as_slice() else {
        println!("nothing to do; see the top of crates/analytics/benches/baskets.rs");
        return;
    };
    let number = |text: &str| text.parse::<usize>().expect("a whole number");
    let (offsets, items) = match source.split_once('x') {
        Some((baskets, products)) if source.bytes().all(|b| b.is_ascii_digit() || b == b'x') => {
            made_up(number(baskets), number(products))
        }
        _ => read(&std::fs::read_to_string(source).expect("the file is readable")),
    };
    println!("{} baskets, {} items, peak memory {} MB", offsets.len() - 1, items.len(), peak_memory());

    let started = Instant::now();
    let min_support = MinSupport::Share(min_support.parse().expect("a number"));
    let settings = ItemsetSettings { min_support, ..Default::default() };
    let itemsets = frequent_itemsets(&offsets, &items, &settings).expect("baskets are well-formed");
    let seconds = started.elapsed().as_secs_f64();
    let total: u64 = (0..itemsets.len()).map(|i| u64::from(itemsets.count(i))).sum();
    println!(
        "{} itemsets (counts add up to {total}): {seconds:.3} s, peak memory {} MB",
        itemsets.len(),
        peak_memory()
    );

    let started = Instant::now();
    let settings = RuleSettings { min_confidence: 0.3, min_lift: 0.0, ..Default::default() };
    let rules = association_rules(&itemsets, &settings).expect("there are not too many");
    println!("{} rules: {:.3} s", rules.len(), started.elapsed().as_secs_f64());
}

fn read(text: &str) -> (Vec<usize>, Vec<u32>) {
    let (mut offsets, mut items) = (vec![0], Vec::new());
    for line in text.lines() {
        items.extend(line.split_whitespace().map(|item| item.parse::<u32>().expect("an item number")));
        offsets.push(items.len());
    }
    (offsets, items)
}

fn made_up(baskets: usize, products: usize) -> (Vec<usize>, Vec<u32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut reach = 0.0;
    let reaches: Vec<f64> = (1..=products)
        .map(|k| {
            reach += 1.0 / k as f64;
            reach
        })
        .collect();
    let (mut offsets, mut items) = (vec![0], Vec::new());
    for _ in 0..baskets {
        let more = (-rng.random::<f64>()).ln_1p() / (MEAN_MORE / (1.0 + MEAN_MORE)).ln();
        for _ in 0..=more as usize {
            let at = rng.random::<f64>() * reach;
            items.push(reaches.partition_point(|&reach| reach < at) as u32);
        }
        offsets.push(items.len());
    }
    (offsets, items)
}
