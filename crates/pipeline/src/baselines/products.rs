//! Ranks of the products that were bought next, by two rules that need no model and by two recommenders: neighbours of
//! items and factors, both over counts of purchases. A product that ties with others comes after them, and one that a
//! rule says nothing of is not ranked.

use crate::error::{Error, Result};
use crate::time::MICROS_PER_DAY;
use analytics::metrics::NOT_RANKED;
use analytics::recommend::{Als, AlsSettings, Interactions, ItemNeighbours, KnnSettings};
use rayon::prelude::*;
use sequences::{Field, PURCHASE, Sequences};
use std::collections::{HashMap, HashSet};

/// Popularity counts the purchases of this long before the cut-off: tastes change.
const POPULAR_DAYS: i64 = 90;
/// Ranks of the products that were bought next, by two rules that need no model.
pub(crate) struct ProductRules {
    /// The most bought products first.
    pub(crate) popularity: Vec<u32>,
    /// The customer's last product first, then the most bought.
    pub(crate) last_item: Vec<u32>,
}

/// `keys` and `bought` are the judged customers and what each bought next.
pub(crate) fn product_rules(sequences: &Sequences, keys: &[(String, i64)], bought: &[String]) -> ProductRules {
    let as_of = keys.first().map_or(i64::MAX, |(_, as_of)| *as_of);
    let places = popularity(sequences, as_of);
    let purchase = sequences.code_of(Field::Kind, PURCHASE);
    let mut rules = ProductRules { popularity: Vec::new(), last_item: Vec::new() };
    for ((customer, as_of), product) in keys.iter().zip(bought) {
        let product = sequences.code_of(Field::Product, product);
        let rank = |code: u32| places.get(&code).map_or(NOT_RANKED, |place| place + 1);
        let last = sequences.customer(customer).and_then(|number| {
            let bought = |&event: &usize| sequences.code(event, Field::Kind) == purchase;
            sequences.visible(number, *as_of).rev().find(bought).map(|event| sequences.code(event, Field::Product))
        });
        rules.popularity.push(rank(product));
        rules.last_item.push(match last {
            Some(last) if last == product => 1,
            // The last product moved to the front; those that were before it move one down.
            Some(last) if rank(product) < rank(last) => rank(product).saturating_add(1),
            _ => rank(product),
        });
    }
    rules
}

/// The place of each product by its purchases in the months before the cut-off; equal ones by name.
fn popularity(sequences: &Sequences, as_of: i64) -> HashMap<u32, u32> {
    let purchase = sequences.code_of(Field::Kind, PURCHASE);
    let from = as_of - POPULAR_DAYS * MICROS_PER_DAY;
    let mut counts: HashMap<u32, u32> = HashMap::new();
    for event in 0..sequences.event_count() {
        let counts_here = sequences.code(event, Field::Kind) == purchase && sequences.event_time(event) >= from;
        if counts_here && sequences.is_visible(event, as_of) {
            *counts.entry(sequences.code(event, Field::Product)).or_default() += 1;
        }
    }
    let name = |code: u32| sequences.text(Field::Product, code).unwrap_or_default();
    let mut codes: Vec<u32> = counts.keys().copied().filter(|&code| code != 0).collect();
    codes.sort_by(|a, b| counts[b].cmp(&counts[a]).then_with(|| name(*a).cmp(name(*b))));
    codes.into_iter().zip(0..).collect()
}

/// What customers bought before their cut-offs; products by their code.
pub(crate) struct Histories {
    offsets: Vec<usize>,
    items: Vec<u32>,
    weights: Vec<f32>,
    catalogue: usize,
}

impl Histories {
    /// Of each number of a customer, what he bought before the time beside it.
    pub(crate) fn before(sequences: &Sequences, cutoffs: impl Iterator<Item = (usize, i64)>) -> Histories {
        let purchase = sequences.code_of(Field::Kind, PURCHASE);
        let (mut offsets, mut items) = (vec![0], Vec::new());
        for (customer, as_of) in cutoffs {
            let bought =
                sequences.visible(customer, as_of).filter(|&event| sequences.code(event, Field::Kind) == purchase);
            // Code 0 is no product.
            items.extend(bought.map(|event| sequences.code(event, Field::Product)).filter(|&code| code != 0));
            offsets.push(items.len());
        }
        let weights = vec![1.0; items.len()];
        Histories { offsets, items, weights, catalogue: sequences.code_count(Field::Product) }
    }

    fn interactions(&self) -> Interactions<'_> {
        let Histories { offsets, items, weights, catalogue } = self;
        Interactions { offsets, items, weights, catalogue: *catalogue }
    }

    fn of(&self, customer: usize) -> &[u32] {
        &self.items[self.offsets[customer]..self.offsets[customer + 1]]
    }
}

/// [`recommenders`] of `buyers` at a test cut-off and `products`, what each bought next, after learning from all
/// purchases before it; repeats count.
pub(crate) fn buyers_recommenders(
    sequences: &Sequences,
    buyers: &[(String, i64)],
    products: &[String],
) -> Result<[(&'static str, Vec<u32>); 2]> {
    let as_of = buyers.first().map_or(i64::MAX, |(_, as_of)| *as_of);
    let all = Histories::before(sequences, (0..sequences.customers().len()).map(|customer| (customer, as_of)));
    let number = |(customer, as_of): &(String, i64)| match sequences.customer(customer) {
        Some(number) => Ok((number, *as_of)),
        None => Err(Error::NoEvents { customer: customer.clone() }),
    };
    let judged = buyers.iter().map(number).collect::<Result<Vec<_>>>()?;
    let judged = Histories::before(sequences, judged.into_iter());
    let bought: Vec<u32> = products.iter().map(|product| sequences.code_of(Field::Product, product)).collect();
    tokio::task::block_in_place(|| recommenders(&all, &judged, &bought, false))
}

/// Each recommender's name with its ranks of `bought`, one code for each of the `judged` histories, after learning from
/// `all`. With `remove_seen` the products of a history are no candidates; else a history also speaks for its own
/// products, each its own nearest neighbour.
pub(crate) fn recommenders(
    all: &Histories,
    judged: &Histories,
    bought: &[u32],
    remove_seen: bool,
) -> Result<[(&'static str, Vec<u32>); 2]> {
    let neighbours = ItemNeighbours::fit(&all.interactions(), &KnnSettings::default())?;
    let by_neighbours = |customer: usize, scores: &mut [f64]| {
        for &item in judged.of(customer) {
            scores[item as usize] += 1.0;
            neighbours.of(item).iter().for_each(|&(other, similarity)| scores[other as usize] += similarity);
        }
    };
    let ranks_of_neighbours = ranks(judged, bought, remove_seen, by_neighbours);
    let als = Als::fit(&all.interactions(), &AlsSettings::default())?;
    let size = als.settings.factors;
    let users = als.fold_in(&judged.interactions())?;
    let by_factors = |customer: usize, scores: &mut [f64]| {
        let user = &users[customer * size..(customer + 1) * size];
        for (score, item) in scores.iter_mut().zip(als.item_factors.chunks_exact(size)) {
            *score = f64::from(user.iter().zip(item).map(|(user, item)| user * item).sum::<f32>());
        }
    };
    Ok([("item neighbours", ranks_of_neighbours), ("ALS factors", ranks(judged, bought, remove_seen, by_factors))])
}

/// Ranks of `bought` by how often all histories have a product, those of the own history removed.
pub(crate) fn most_bought(all: &Histories, judged: &Histories, bought: &[u32]) -> Vec<u32> {
    let mut counts = vec![0.0; all.catalogue];
    all.items.iter().for_each(|&item| counts[item as usize] += 1.0);
    ranks(judged, bought, true, |_, scores| scores.copy_from_slice(&counts))
}

/// `score` adds to the scores of the catalogue, which are 0 where it says nothing.
fn ranks(judged: &Histories, bought: &[u32], remove_seen: bool, score: impl Fn(usize, &mut [f64]) + Sync) -> Vec<u32> {
    let rank = |scores: &mut Vec<f64>, (customer, &product): (usize, &u32)| {
        scores.fill(0.0);
        score(customer, scores);
        let own = scores.get(product as usize).copied().unwrap_or_default();
        if own == 0.0 {
            return NOT_RANKED;
        }
        let seen: HashSet<u32> =
            if remove_seen { judged.of(customer).iter().copied().collect() } else { HashSet::new() };
        let before = |&(score, code): &(&f64, u32)| *score >= own && code != product && !seen.contains(&code);
        scores.iter().zip(0..).filter(before).count() as u32 + 1
    };
    bought
        .par_iter()
        .enumerate()
        .map_init(|| vec![0.0; judged.catalogue], |scores, one| rank(scores, (one.0, one.1)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bought_more_beside_a_history_ranks_first() {
        let text = "u1 x y\nu2 x y\nu3 x z\nu4 w\nu5 x y";
        let sequences = Sequences::from_interactions(text, "test").unwrap();
        let all = Histories::before(&sequences, (0..4).map(|customer| (customer, 9)));
        let bought = ["y", "z", "w", "x"].map(|item| sequences.code_of(Field::Product, item));
        let judged = Histories::before(&sequences, [(4, 1); 4].into_iter());
        let [(_, neighbours), (_, factors)] = recommenders(&all, &judged, &bought, true).unwrap();
        assert_eq!(neighbours[..3], [1, 2, NOT_RANKED]);
        assert_eq!(factors[..2], [1, 2]);
        // Unless what is seen is removed, x stands before what was bought beside it.
        let [(_, neighbours), _] = recommenders(&all, &judged, &bought, false).unwrap();
        assert_eq!(neighbours, [2, 3, NOT_RANKED, 1]);
    }

    #[test]
    fn an_unknown_product_and_an_empty_history_are_not_ranked() {
        let sequences = Sequences::from_interactions("u1 x y\nu2 x y", "test").unwrap();
        let all = Histories::before(&sequences, (0..2).map(|customer| (customer, 9)));
        let judged = Histories::before(&sequences, [(0, 1), (0, 0)].into_iter());
        let bought = [sequences.code_of(Field::Product, "new"), sequences.code_of(Field::Product, "y")];
        for (name, ranks) in recommenders(&all, &judged, &bought, false).unwrap() {
            assert_eq!(ranks, [NOT_RANKED; 2], "{name}");
        }
    }
}
