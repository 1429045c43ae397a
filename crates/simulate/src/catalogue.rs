//! Products, tastes, and which product is bought after or beside which.
//!
//! The main product of an order is drawn from the customer's taste profile (categories, then popularity in the
//! category) or follows from the last order's main product: a Markov chain personalised by taste, after Rendle,
//! Freudenthaler & Schmidt-Thieme 2010 (FPMC), with a known transition table instead of learned factors. Products are
//! indexed by price, cheapest first, because an order's further lines never cost more than its main one: that makes
//! "the largest line" of an order, which the label names, the product the chain runs on.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_distr::StandardNormal;

use crate::Kind;
use crate::parameters::*;

pub(crate) struct Product {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) category: usize,
    pub(crate) subcategory: String,
    pub(crate) brand: &'static str,
    pub(crate) price: f64,
    pub(crate) cost: f64,
    /// Days before the start at which it was listed.
    pub(crate) listed_before: f64,
}

/// One taste profile: a share of the customers, weights of categories, probabilities of products.
pub(crate) struct Taste {
    pub(crate) share: f64,
    pub(crate) categories: Vec<f64>,
    pub(crate) probability: Vec<f64>,
    /// Running sum of `probability` over products, which are in price order.
    pub(crate) cumulative: Vec<f64>,
}

pub(crate) struct Catalogue {
    pub(crate) products: Vec<Product>,
    pub(crate) tastes: Vec<Taste>,
    /// Share of orders whose main product follows from the last one.
    pub(crate) follows_last: f64,
    /// What follows: per product of the last order, products and their probabilities.
    pub(crate) followers: Vec<Vec<(usize, f64)>>,
    /// Per main product, equally likely accessories, none of them dearer.
    pub(crate) accessories: Vec<Vec<usize>>,
    /// Expected price parts of the next orders; see [`Worth`].
    pub(crate) worth: Vec<Worth>,
}

/// Expected gross amount of the n-th next order, per (taste, last main product), as `main + lines · further`, where
/// `lines` is the customer's expected number of further lines.
pub(crate) struct Worth {
    pub(crate) main: Vec<Vec<f64>>,
    pub(crate) further: Vec<Vec<f64>>,
}

/// Orders ahead for which the chain's state matters; the chain forgets by a factor `FOLLOWS_LAST` per order.
pub(crate) const WORTH_RANKS: usize = 3;

/// Expected gross amount of a random number of next orders: Σ P(at least n orders) · worth of the n-th, of which the first
/// two probabilities are given, and the mean. The chain is followed for [`WORTH_RANKS`] orders, after which it has
/// forgotten all but `FOLLOWS_LAST`^3 of its start.
pub(crate) fn worth_of_next(first: f64, second: f64, mean: f64, worth: impl Fn(usize) -> f64) -> f64 {
    first * worth(0) + second * worth(1) + (mean - first - second) * worth(WORTH_RANKS - 1)
}

impl Catalogue {
    pub(crate) fn generate(kind: Kind, rng: &mut impl Rng) -> Self {
        let products = products(kind, rng);
        let tastes = tastes(kind, &products, rng);
        let (follows_last, followers, accessories) = match kind {
            Kind::Full => (FOLLOWS_LAST, followers(&products, rng), accessories(&products, rng)),
            Kind::ParetoNbd => (0.0, Vec::new(), Vec::new()),
        };
        let mut catalogue = Self { products, tastes, follows_last, followers, accessories, worth: Vec::new() };
        if kind == Kind::Full {
            catalogue.worth = catalogue.worth_ahead();
        }
        catalogue
    }

    /// Index of a random product of this taste, no dearer than `at_most` (an index, for prices ascend).
    pub(crate) fn draw(&self, taste: usize, at_most: usize, rng: &mut impl Rng) -> usize {
        let cumulative = &self.tastes[taste].cumulative[..=at_most];
        let point = rng.random::<f64>() * cumulative[at_most];
        cumulative.partition_point(|&c| c <= point).min(at_most)
    }

    pub(crate) fn draw_main(&self, taste: usize, last: Option<usize>, rng: &mut impl Rng) -> usize {
        match last {
            Some(last) if rng.random::<f64>() < self.follows_last => {
                let mut point = rng.random::<f64>();
                let found = self.followers[last].iter().find(|(_, p)| {
                    point -= p;
                    point < 0.0
                });
                found.map_or(last, |&(product, _)| product)
            }
            _ => self.draw(taste, self.products.len() - 1, rng),
        }
    }

    pub(crate) fn draw_further(&self, taste: usize, main: usize, rng: &mut impl Rng) -> usize {
        if rng.random::<f64>() < ACCESSORY {
            self.accessories[main][rng.random_range(0..ACCESSORIES)]
        } else {
            self.draw(taste, main, rng)
        }
    }

    /// Probability of the main product of an order given taste and the last order's main product.
    pub(crate) fn main_probability(&self, taste: usize, last: Option<usize>, main: usize) -> f64 {
        let by_taste = self.tastes[taste].probability[main];
        let Some(last) = last else { return by_taste };
        (1.0 - self.follows_last) * by_taste + self.follows_last * self.follower_probability(last, main)
    }

    /// Probability of a further line's product given taste and the order's main product.
    pub(crate) fn further_probability(&self, taste: usize, main: usize, product: usize) -> f64 {
        let Taste { probability, cumulative, .. } = &self.tastes[taste];
        let by_taste = if product <= main { probability[product] / cumulative[main] } else { 0.0 };
        let beside = self.accessories[main].iter().filter(|&&a| a == product).count() as f64 / ACCESSORIES as f64;
        (1.0 - ACCESSORY) * by_taste + ACCESSORY * beside
    }

    /// Distribution of the next order's main product, given a posterior over tastes.
    pub(crate) fn next_main(&self, tastes: &[f64], last: usize) -> Vec<f64> {
        let mut next = vec![0.0; self.products.len()];
        for (taste, &weight) in self.tastes.iter().zip(tastes) {
            for (sum, p) in next.iter_mut().zip(&taste.probability) {
                *sum += (1.0 - self.follows_last) * weight * p;
            }
        }
        if self.follows_last > 0.0 {
            self.followers[last].iter().for_each(|&(product, p)| next[product] += self.follows_last * p);
        }
        next
    }

    /// Expected gross amount of the `rank`-th next order (from 0) of a customer of this taste, whose last main product
    /// was `last` and whose orders have `further_lines` further lines on average.
    pub(crate) fn order_worth(&self, rank: usize, taste: usize, last: usize, further_lines: f64) -> f64 {
        let worth = &self.worth[rank];
        worth.main[taste][last] + further_lines * worth.further[taste][last]
    }

    fn follower_probability(&self, last: usize, main: usize) -> f64 {
        self.followers[last].iter().filter(|&&(product, _)| product == main).map(|&(_, p)| p).sum()
    }

    fn worth_ahead(&self) -> Vec<Worth> {
        let pieces: f64 = MAIN_PIECES.iter().zip(1..).map(|(p, n)| p * f64::from(n)).sum();
        let prices: Vec<f64> = self.products.iter().map(|p| p.price).collect();
        let main: Vec<Vec<f64>> = vec![prices.iter().map(|price| pieces * price).collect(); self.tastes.len()];
        let further = self.tastes.iter().map(|taste| self.further_price(taste, &prices)).collect();
        let mut ahead = vec![self.one_order_on(&Worth { main, further })];
        while ahead.len() < WORTH_RANKS {
            ahead.push(self.one_order_on(&ahead[ahead.len() - 1]));
        }
        ahead
    }

    /// Expected price of one further line beside each main product.
    fn further_price(&self, taste: &Taste, prices: &[f64]) -> Vec<f64> {
        let mut spent = 0.0;
        let beside = |main: usize| self.accessories[main].iter().map(|&a| prices[a]).sum::<f64>() / ACCESSORIES as f64;
        (0..prices.len())
            .map(|main| {
                spent += taste.probability[main] * prices[main];
                (1.0 - ACCESSORY) * spent / taste.cumulative[main] + ACCESSORY * beside(main)
            })
            .collect()
    }

    /// Applies the chain once: from "worth given this order's main product" to "worth given the last one's".
    fn one_order_on(&self, worth: &Worth) -> Worth {
        let step = |values: &Vec<Vec<f64>>| {
            let per_taste = self.tastes.iter().zip(values).map(|(taste, value)| {
                let by_taste: f64 = taste.probability.iter().zip(value).map(|(p, v)| p * v).sum();
                let follow =
                    |last: &Vec<(usize, f64)>| last.iter().map(|&(product, p)| p * value[product]).sum::<f64>();
                let expected = |last| (1.0 - self.follows_last) * by_taste + self.follows_last * follow(last);
                self.followers.iter().map(expected).collect()
            });
            per_taste.collect()
        };
        Worth { main: step(&worth.main), further: step(&worth.further) }
    }
}

const BRANDS: [&str; 16] = [
    "Alder", "Birke", "Corvus", "Dune", "Elmo", "Fjord", "Gale", "Harbor", "Iris", "Juno", "Kite", "Lark", "Mistral",
    "Nord", "Opal", "Pine",
];
const SUBCATEGORIES: usize = 4;

fn products(kind: Kind, rng: &mut impl Rng) -> Vec<Product> {
    let count = match kind {
        Kind::Full => PRODUCTS,
        Kind::ParetoNbd => CONTROL_PRODUCTS,
    };
    let mut numbers: Vec<usize> = (1..=count).collect();
    numbers.shuffle(rng);
    let mut products: Vec<Product> = numbers
        .into_iter()
        .map(|number| {
            let category = number % CATEGORIES.len();
            let price = CATEGORIES[category].1 * (PRICE_SPREAD * rng.sample::<f64, _>(StandardNormal)).exp();
            let brand = BRANDS[rng.random_range(0..BRANDS.len())];
            let (name, subcategory) = (CATEGORIES[category].0, rng.random_range(1..=SUBCATEGORIES));
            Product {
                id: format!("p{number:04}"),
                name: format!("{brand} {name} {number}"),
                category,
                subcategory: format!("{name} {subcategory}"),
                brand,
                price: cents(price),
                cost: cents(price * rng.random_range(0.4..0.7)),
                listed_before: rng.random_range(1.0..700.0),
            }
        })
        .collect();
    products.sort_by(|a, b| a.price.total_cmp(&b.price));
    // No two prices are equal: the largest line of an order must be unique.
    for later in 1..products.len() {
        products[later].price = products[later].price.max(cents(products[later - 1].price + 0.01));
    }
    products
}

pub(crate) fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}

fn tastes(kind: Kind, products: &[Product], rng: &mut impl Rng) -> Vec<Taste> {
    if kind == Kind::ParetoNbd {
        let even = 1.0 / products.len() as f64;
        let categories = vec![1.0 / CATEGORIES.len() as f64; CATEGORIES.len()];
        return vec![taste(1.0, categories, vec![even; products.len()])];
    }
    let popularity = popularity(products, rng);
    let shares: Vec<f64> = (0..CATEGORIES.len()).map(|k| 1.0 / (4.0 + k as f64)).collect();
    let total: f64 = shares.iter().sum();
    let rest = (1.0 - TASTE.iter().map(|t| t.1).sum::<f64>()) / CATEGORIES.len() as f64;
    (0..CATEGORIES.len())
        .map(|own| {
            let mut categories = vec![rest; CATEGORIES.len()];
            TASTE.iter().for_each(|&(ahead, weight)| categories[(own + ahead) % CATEGORIES.len()] += weight);
            let probability =
                products.iter().zip(&popularity).map(|(product, p)| categories[product.category] * p).collect();
            taste(shares[own] / total, categories, probability)
        })
        .collect()
}

fn taste(share: f64, categories: Vec<f64>, probability: Vec<f64>) -> Taste {
    let running = |sum: &mut f64, p: &f64| {
        *sum += p;
        Some(*sum)
    };
    let cumulative = probability.iter().scan(0.0, running).collect();
    Taste { share, categories, probability, cumulative }
}

/// Popularity of each product in its category: Zipf, in an order independent of price.
fn popularity(products: &[Product], rng: &mut impl Rng) -> Vec<f64> {
    let mut popularity = vec![0.0; products.len()];
    for category in 0..CATEGORIES.len() {
        let mut members = of_category(products, category);
        members.shuffle(rng);
        let total: f64 = (1..=members.len()).map(|rank| (rank as f64).powf(-ZIPF)).sum();
        for (rank, &member) in members.iter().enumerate() {
            popularity[member] = ((rank + 1) as f64).powf(-ZIPF) / total;
        }
    }
    popularity
}

fn of_category(products: &[Product], category: usize) -> Vec<usize> {
    (0..products.len()).filter(|&p| products[p].category == category).collect()
}

/// After a product: itself again, and a few companions from its own and the next category.
fn followers(products: &[Product], rng: &mut impl Rng) -> Vec<Vec<(usize, f64)>> {
    let companions = |product: usize, rng: &mut _| {
        let category = products[product].category;
        let near = [of_category(products, category), of_category(products, (category + 1) % CATEGORIES.len())].concat();
        let others: Vec<usize> = near.into_iter().filter(|&p| p != product).collect();
        let chosen: Vec<usize> = choose(&others, COMPANIONS, rng);
        let each = (1.0 - BOUGHT_AGAIN) / COMPANIONS as f64;
        std::iter::once((product, BOUGHT_AGAIN)).chain(chosen.into_iter().map(|p| (p, each))).collect()
    };
    (0..products.len()).map(|product| companions(product, rng)).collect()
}

fn accessories(products: &[Product], rng: &mut impl Rng) -> Vec<Vec<usize>> {
    (0..products.len())
        .map(|main| {
            let cheaper: Vec<usize> = (0..main).collect();
            let mut chosen = choose(&cheaper, ACCESSORIES, rng);
            chosen.resize(ACCESSORIES, main);
            chosen
        })
        .collect()
}

fn choose(from: &[usize], count: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut from = from.to_vec();
    from.partial_shuffle(rng, count).0.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn catalogue() -> Catalogue {
        Catalogue::generate(Kind::Full, &mut ChaCha8Rng::seed_from_u64(3))
    }

    #[test]
    fn probabilities_sum_to_one() {
        let c = catalogue();
        let all = 0..c.products.len();
        for taste in 0..c.tastes.len() {
            for last in [None, Some(0), Some(250), Some(499)] {
                let main: f64 = all.clone().map(|p| c.main_probability(taste, last, p)).sum();
                assert!((main - 1.0).abs() < 1e-9);
            }
            for main in [0, 1, 250, 499] {
                let further: f64 = all.clone().map(|p| c.further_probability(taste, main, p)).sum();
                assert!((further - 1.0).abs() < 1e-9, "{taste} {main} {further}");
            }
        }
    }

    #[test]
    fn drawn_orders_are_worth_what_the_table_says() {
        let c = catalogue();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let (taste, start, draws) = (3, 400, 200_000);
        let (mut main, mut further) = ([0.0; WORTH_RANKS], [0.0; WORTH_RANKS]);
        for _ in 0..draws {
            let mut last = start;
            for rank in 0..WORTH_RANKS {
                last = c.draw_main(taste, Some(last), &mut rng);
                main[rank] += c.products[last].price;
                further[rank] += c.products[c.draw_further(taste, last, &mut rng)].price;
            }
        }
        let pieces = 1.0 * 0.85 + 2.0 * 0.10 + 3.0 * 0.05;
        for rank in 0..WORTH_RANKS {
            let expected = (c.worth[rank].main[taste][start], c.worth[rank].further[taste][start]);
            let drawn = (pieces * main[rank] / f64::from(draws), further[rank] / f64::from(draws));
            assert!((drawn.0 / expected.0 - 1.0).abs() < 0.01, "{rank} {drawn:?} {expected:?}");
            assert!((drawn.1 / expected.1 - 1.0).abs() < 0.01, "{rank} {drawn:?} {expected:?}");
        }
    }
}
