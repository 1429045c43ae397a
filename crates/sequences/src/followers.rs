//! Which product follows which: how often an order of one was the next after an order of another, over all customers.
//!
//! A network with a few dozen numbers per product has no room for what goes with what, and takes long to learn it; a table
//! of counts has it at once. An order stands for its largest line, as in [`Example::next_products`].

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::example::{known_product, largest_of_orders};
use crate::{Encoding, Example, FIRST_KNOWN, Sequences};

/// Counts of successive orders' products, as places among the known products.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Followers {
    /// Pairs of orders known before this were counted.
    until: i64,
    /// Per product where its followers begin, and where the last one's end.
    offsets: Vec<usize>,
    /// The most frequent first.
    products: Vec<u32>,
    counts: Vec<u32>,
    /// Per product how often any order came after it, followers that are not listed included.
    totals: Vec<u32>,
}

/// Followers listed of a product, at most: the rare ones are chance.
const MOST: usize = 64;

impl Followers {
    /// Counts over all customers what was known before `until`.
    pub fn count(sequences: &Sequences, encoding: &Encoding, known_products: usize, until: i64) -> Self {
        let mut pairs: Vec<HashMap<u32, u32>> = vec![HashMap::new(); known_products];
        for customer in 0..sequences.customers().len() {
            for (from, to) in pairs_of(sequences, encoding, customer, until) {
                *pairs[from as usize].entry(to).or_default() += 1;
            }
        }
        let mut followers =
            Self { until, offsets: vec![0], products: Vec::new(), counts: Vec::new(), totals: Vec::new() };
        for pairs in pairs {
            followers.totals.push(pairs.values().sum());
            let mut pairs: Vec<(u32, u32)> = pairs.into_iter().collect();
            pairs.sort_unstable_by_key(|&(product, count)| (std::cmp::Reverse(count), product));
            pairs.truncate(MOST);
            followers.products.extend(pairs.iter().map(|pair| pair.0));
            followers.counts.extend(pairs.iter().map(|pair| pair.1));
            followers.offsets.push(followers.products.len());
        }
        followers
    }

    /// What the histories say of an example's next product. Its own customer's pairs of orders do not count: what he buys
    /// again and again is his habit, and training must not see its own answers.
    pub fn recall<'a>(&'a self, sequences: &Sequences, encoding: &Encoding, example: &Example) -> Recall<'a> {
        let mut own = HashMap::new();
        for pair in pairs_of(sequences, encoding, example.customer(), self.until) {
            *own.entry(pair).or_default() += 1;
        }
        let orders = orders_of(sequences, encoding, &example.events().collect::<Vec<_>>());
        Recall { followers: self, own, orders }
    }

    fn followers(&self, product: u32) -> impl Iterator<Item = (u32, u32)> {
        let range = self.offsets[product as usize]..self.offsets[product as usize + 1];
        self.products[range.clone()].iter().copied().zip(self.counts[range].iter().copied())
    }
}

/// Histories' word on an example's next product.
pub struct Recall<'a> {
    followers: &'a Followers,
    /// How often the customer himself is in the counts, by pair.
    own: HashMap<(u32, u32), u32>,
    /// Where the example's orders have their largest line, and its product, if it is known.
    orders: Vec<(usize, Option<u32>)>,
}

/// Numbers that a product has: its share of the orders that followed one of the newest order's product in other customers'
/// histories, and its share of the customer's own orders.
pub type Shares = [f32; 2];

impl Recall<'_> {
    /// A product's shares after the example's first `seen` events.
    pub fn shares(&self, seen: usize, product: u32) -> Shares {
        let orders = self.orders(seen);
        let own = orders.iter().filter(|(_, of)| *of == Some(product)).count();
        let following = self.last(seen).map_or(0.0, |last| {
            let listed = self.followers.followers(last).find(|(follower, _)| *follower == product);
            listed.map_or(0.0, |(product, count)| self.share_after(last, product, count))
        });
        [following, own as f32 / orders.len().max(1) as f32]
    }

    /// How much there is to go by after the first `seen` events: ln(1 + n) of the orders counted after one of the newest
    /// order's product, and of the customer's own orders.
    pub fn evidence(&self, seen: usize) -> [f32; 2] {
        let following = self.last(seen).map_or(0, |last| self.total_after(last));
        [(following as f32).ln_1p(), (self.orders(seen).len() as f32).ln_1p()]
    }

    /// What the shares of all products add up to after the first `seen` events: less than 1 where something unknown, rare or
    /// nothing at all came next.
    pub fn sums(&self, seen: usize) -> Shares {
        let orders = self.orders(seen);
        let known = orders.iter().filter(|(_, product)| product.is_some()).count();
        let following = self.last(seen).map_or(0.0, |last| {
            let share = |(product, count)| self.share_after(last, product, count);
            self.followers.followers(last).map(share).sum()
        });
        [following, known as f32 / orders.len().max(1) as f32]
    }

    /// Every product with a share above 0 after the example's first `seen` events, each once.
    pub fn known(&self, seen: usize) -> Vec<(u32, Shares)> {
        let last = self.last(seen);
        let following = last.into_iter().flat_map(|last| self.followers.followers(last).map(|(product, _)| product));
        let mut products: Vec<u32> =
            following.chain(self.orders(seen).iter().filter_map(|(_, product)| *product)).collect();
        products.sort_unstable();
        products.dedup();
        products.into_iter().map(|product| (product, self.shares(seen, product))).collect()
    }

    fn orders(&self, seen: usize) -> &[(usize, Option<u32>)] {
        &self.orders[..self.orders.partition_point(|(place, _)| *place < seen)]
    }

    fn last(&self, seen: usize) -> Option<u32> {
        self.orders(seen).last()?.1
    }

    fn share_after(&self, last: u32, product: u32, count: u32) -> f32 {
        let own = self.own.get(&(last, product)).copied().unwrap_or(0);
        count.saturating_sub(own) as f32 / self.total_after(last).max(1) as f32
    }

    fn total_after(&self, last: u32) -> u32 {
        let own: u32 = self.own.iter().filter(|((from, _), _)| *from == last).map(|(_, count)| count).sum();
        self.followers.totals[last as usize].saturating_sub(own)
    }
}

/// Successive orders of known products that were visible at `until`.
fn pairs_of(sequences: &Sequences, encoding: &Encoding, customer: usize, until: i64) -> Vec<(u32, u32)> {
    let events: Vec<usize> = sequences.visible(customer, until).collect();
    let orders = orders_of(sequences, encoding, &events);
    orders.windows(2).filter_map(|pair| Some((pair[0].1?, pair[1].1?))).collect()
}

/// Where the orders in some events have their largest line, and the place of its product, if it is known.
fn orders_of(sequences: &Sequences, encoding: &Encoding, events: &[usize]) -> Vec<(usize, Option<u32>)> {
    let is_largest = largest_of_orders(sequences, events.iter().copied());
    let largest = events.iter().enumerate().zip(is_largest).filter(|(_, is_largest)| *is_largest);
    let product = |event| known_product(sequences, encoding, event).checked_sub(FIRST_KNOWN);
    largest.map(|((place, &event), _)| (place, product(event))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Field, PURCHASE, Vocabulary};

    /// Lists of orders of one line each: every item is a purchase at a time of its own.
    fn shop(lines: &str) -> (Sequences, Encoding, Vec<String>) {
        let sequences = Sequences::from_interactions(lines, "lines").unwrap();
        assert_eq!(sequences.text(Field::Kind, sequences.code(0, Field::Kind)), Some(PURCHASE));
        let vocabulary = Vocabulary::fit(&sequences, i64::MAX, 1);
        let encoding = vocabulary.encode(&sequences);
        (sequences, encoding, vocabulary.texts(Field::Product).to_vec())
    }

    #[test]
    fn others_histories_and_ones_own_are_told_apart() {
        let lines = "a tea jam tea jam\nb tea jam tea rye\nc tea oat\nd tea\n";
        let (sequences, encoding, names) = shop(lines);
        let place = |name: &str| names.iter().position(|known| known == name).unwrap() as u32;
        let followers = Followers::count(&sequences, &encoding, names.len(), i64::MAX);
        let at = |user: usize, seen: usize, product: &str| {
            let example = Example::at(&sequences, user, i64::MAX, 10);
            followers.recall(&sequences, &encoding, &example).shares(seen, place(product))
        };
        // Tea is followed by jam, jam; jam, rye; oat. For d all five count.
        assert_eq!(at(3, 1, "jam"), [3.0 / 5.0, 0.0]);
        assert_eq!(at(3, 1, "tea"), [0.0, 1.0]);
        // For a only those of the others: jam, rye, oat. After three of his orders two of three were tea.
        assert_eq!(at(0, 3, "jam"), [1.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(at(0, 3, "tea"), [0.0, 2.0 / 3.0]);
        // Nothing is known before the first order.
        assert_eq!(at(0, 0, "tea"), [0.0, 0.0]);
        let example = Example::at(&sequences, 3, i64::MAX, 10);
        let recall = followers.recall(&sequences, &encoding, &example);
        let mut known: Vec<u32> = recall.known(1).into_iter().map(|(product, _)| product).collect();
        known.sort_unstable();
        let mut expected = ["jam", "rye", "oat", "tea"].map(place);
        expected.sort_unstable();
        assert_eq!(known, expected);
        assert_eq!(recall.evidence(1), [5f32.ln_1p(), 1f32.ln_1p()]);
        assert_eq!((recall.sums(1), recall.sums(0)), ([1.0, 1.0], [0.0, 0.0]));
    }

    #[test]
    fn nothing_after_the_cut_off_is_counted() {
        let (sequences, encoding, names) = shop("a tea jam\nb tea jam\nc tea\n");
        // Item n of a list has the time n: before 1 there are only first items.
        let followers = Followers::count(&sequences, &encoding, names.len(), 1);
        assert!(followers.products.is_empty() && followers.totals.iter().all(|total| *total == 0));
        let example = Example::at(&sequences, 2, 1, 10);
        assert_eq!(followers.recall(&sequences, &encoding, &example).evidence(1), [0.0, 1f32.ln_1p()]);
    }
}
