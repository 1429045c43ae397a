use std::collections::HashMap;

use foldhash::fast::FixedState;
use rayon::prelude::*;

use super::budget::Budget;
use super::tree::{Growth, Paths, Sets, Tree};
use super::{MinSupport, check_size};
use crate::error::{Error, Result, not_empty};

/// Baskets counted or encoded by one thread at a time.
const CHUNK: usize = 1 << 14;

/// Which itemsets are looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ItemsetSettings {
    pub min_support: MinSupport,
    /// Items of an itemset at most, 1 or more; `None` for any number.
    pub max_length: Option<usize>,
    /// Frequent items of a basket at most, 1 or more; `None` for any number. A wider basket keeps its most frequent items
    /// (of two equally frequent the smaller id), so that it still counts as a basket and rare items are lost first.
    /// Counts of single items are taken before and stay right, those of longer itemsets can only get smaller. So a rule
    /// from one item to one item never looks stronger than it is; one with more items on a side can.
    /// `Itemsets::cut` says how many baskets were cut.
    pub max_width: Option<usize>,
    /// Itemsets at most, 1 or more.
    pub max_itemsets: usize,
}

impl Default for ItemsetSettings {
    fn default() -> Self {
        Self { min_support: MinSupport::Share(0.01), max_length: None, max_width: None, max_itemsets: 1_000_000 }
    }
}

/// Frequent itemsets, by length, then by items; every subset of one is another.
#[derive(Debug, Clone, PartialEq)]
pub struct Itemsets {
    /// Baskets that were read, empty ones too.
    pub baskets: u32,
    /// Baskets that an itemset had to be in.
    pub min_count: u32,
    /// Baskets wider than `max_width`.
    pub cut: u32,
    items: Vec<u32>,
    /// End of each itemset in `items`.
    ends: Vec<usize>,
    counts: Vec<u32>,
}

impl Itemsets {
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Item ids, ascending, of itemset `i`.
    pub fn items(&self, i: usize) -> &[u32] {
        slice(&self.items, &self.ends, i)
    }

    /// Baskets that hold all of itemset `i`.
    pub fn count(&self, i: usize) -> u32 {
        self.counts[i]
    }

    /// Share of the baskets that hold all of itemset `i`.
    pub fn support(&self, i: usize) -> f64 {
        f64::from(self.counts[i]) / f64::from(self.baskets)
    }

    fn new(baskets: u32, min_count: u32, cut: u32, parts: &[Sets]) -> Self {
        let mut order: Vec<(&[u32], u32)> = Vec::with_capacity(parts.iter().map(|sets| sets.counts.len()).sum());
        for sets in parts {
            let all = sets.counts.iter().enumerate();
            order.extend(all.map(|(i, &count)| (slice(&sets.items, &sets.ends, i), count)));
        }
        order.par_sort_unstable_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        let mut items = Vec::with_capacity(order.iter().map(|(set, _)| set.len()).sum());
        let mut ends = Vec::with_capacity(order.len());
        for (set, _) in &order {
            items.extend_from_slice(set);
            ends.push(items.len());
        }
        Self { baskets, min_count, cut, items, ends, counts: order.iter().map(|&(_, count)| count).collect() }
    }
}

fn slice<'a>(items: &'a [u32], ends: &[usize], i: usize) -> &'a [u32] {
    &items[if i == 0 { 0 } else { ends[i - 1] }..ends[i]]
}

/// The itemsets that are in enough baskets, by FP-growth (Han, Pei and Yin 2000). Basket i holds
/// `items[offsets[i]..offsets[i + 1]]`, any ids in any order; an id twice in a basket counts once. Memory is a few tens
/// of bytes an entry of `items` at most, and the itemsets. Fails where there are more than `max_itemsets`, saying the
/// support from which on there are not.
pub fn frequent_itemsets(offsets: &[usize], items: &[u32], settings: &ItemsetSettings) -> Result<Itemsets> {
    let baskets = check_baskets(offsets, items)?;
    check_settings(settings)?;
    let min_count = settings.min_support.count(baskets)?;
    let ranked = Ranked::of(offsets, items, min_count);
    let (paths, cut) = ranked.encode(offsets, items, settings.max_width.unwrap_or(usize::MAX));
    let tree = Tree::new(ranked.ids, ranked.counts, paths);
    let budget = Budget::new(settings.max_itemsets, min_count);
    let max_length = settings.max_length.unwrap_or(usize::MAX);
    // Rare items first: the sets that end with them take longest.
    let grow = |code: usize| Growth::of(&tree, code, max_length, &budget);
    let parts: Vec<Sets> = (0..tree.len()).into_par_iter().rev().with_max_len(1).map(grow).collect();
    if budget.is_spent() {
        return Err(Error::ManyItemsets {
            most: settings.max_itemsets,
            min_count,
            enough: budget.floor(),
            support: f64::from(budget.floor()) / f64::from(baskets),
        });
    }
    Ok(Itemsets::new(baskets, min_count, cut, &parts))
}

fn check_settings(settings: &ItemsetSettings) -> Result<()> {
    let named = [
        ("max_length", settings.max_length),
        ("max_width", settings.max_width),
        ("max_itemsets", Some(settings.max_itemsets)),
    ];
    match named.into_iter().find(|(_, value)| *value == Some(0)) {
        Some((name, _)) => Err(Error::Setting { name, value: 0.0, valid: "1 or more" }),
        None => Ok(()),
    }
}

/// The number of baskets.
fn check_baskets(offsets: &[usize], items: &[u32]) -> Result<u32> {
    not_empty("baskets", offsets.len().saturating_sub(1))?;
    check_size("the number of items in all baskets", items.len())?;
    let wrong = |row: usize, valid| Error::Value { what: "basket offset", row, value: offsets[row] as f64, valid };
    if offsets[0] != 0 {
        return Err(wrong(0, "0, the start of the first basket"));
    }
    if let Some(row) = offsets.windows(2).position(|pair| pair[1] < pair[0]) {
        return Err(wrong(row + 1, "the offset before or more"));
    }
    let last = offsets.len() - 1;
    if offsets[last] != items.len() {
        return Err(wrong(last, "the number of items, the end of the last basket"));
    }
    check_size("the number of baskets", last)
}

/// The frequent items, the most frequent first, of equally frequent ones the smaller id.
struct Ranked {
    ids: Vec<u32>,
    counts: Vec<u32>,
    codes: HashMap<u32, u32, FixedState>,
}

impl Ranked {
    fn of(offsets: &[usize], items: &[u32], min_count: u32) -> Self {
        let count = |chunk: &[usize]| {
            let mut counts: HashMap<u32, u32, FixedState> = HashMap::default();
            let mut basket: Vec<u32> = Vec::new();
            for pair in chunk.windows(2) {
                distinct(&items[pair[0]..pair[1]], &mut basket);
                basket.iter().for_each(|&item| *counts.entry(item).or_default() += 1);
            }
            counts
        };
        let mut counts: HashMap<u32, u32, FixedState> = HashMap::default();
        for part in chunks(offsets).map(count).collect::<Vec<_>>() {
            part.into_iter().for_each(|(item, count)| *counts.entry(item).or_default() += count);
        }
        let mut frequent: Vec<(u32, u32)> = counts.into_iter().filter(|&(_, count)| count >= min_count).collect();
        frequent.sort_unstable_by_key(|&(item, count)| (std::cmp::Reverse(count), item));
        let codes = frequent.iter().zip(0..).map(|(&(item, _), code)| (item, code)).collect();
        let (ids, counts) = frequent.into_iter().unzip();
        Self { ids, counts, codes }
    }

    /// Each basket as codes ascending, at most `max_width` of them; and how many baskets were wider.
    fn encode(&self, offsets: &[usize], items: &[u32], max_width: usize) -> (Paths, u32) {
        let encode = |chunk: &[usize]| {
            let (mut paths, mut cut) = (Paths::default(), 0);
            let (mut known, mut basket) = (Vec::new(), Vec::new());
            for pair in chunk.windows(2) {
                known.clear();
                known.extend(items[pair[0]..pair[1]].iter().filter_map(|item| self.codes.get(item)));
                distinct(&known, &mut basket);
                cut += u32::from(basket.len() > max_width);
                basket.truncate(max_width);
                paths.push(1, |codes| codes.extend_from_slice(&basket));
            }
            (paths, cut)
        };
        let parts: Vec<(Paths, u32)> = chunks(offsets).map(encode).collect();
        let mut all = Paths::default();
        let cut = parts.iter().map(|(_, cut)| cut).sum();
        parts.iter().for_each(|(paths, _)| all.append(paths));
        (all, cut)
    }
}

/// Offsets of baskets, each chunk with the end of its last one.
fn chunks(offsets: &[usize]) -> impl IndexedParallelIterator<Item = &[usize]> {
    let baskets = offsets.len() - 1;
    (0..baskets.div_ceil(CHUNK)).into_par_iter().map(move |i| &offsets[i * CHUNK..=((i + 1) * CHUNK).min(baskets)])
}

fn distinct(items: &[u32], into: &mut Vec<u32>) {
    into.clear();
    into.extend_from_slice(items);
    into.sort_unstable();
    into.dedup();
}
