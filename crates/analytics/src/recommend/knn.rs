use rayon::prelude::*;

use super::matrix::matrix;
use super::top::{at_least_one, keep_top};
use super::{Interactions, Recommendation};
use crate::error::{Error, Result, same_length};
use crate::sparse::Sparse;

/// How neighbours are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnnSettings {
    /// Neighbours of an item at most, 1 or more.
    pub neighbours: usize,
    /// 0 or more: the similarity of two items with n common users counts n / (n + shrinkage), so that a pair which few
    /// people bought is not the most similar of all.
    pub shrinkage: f64,
}

impl Default for KnnSettings {
    fn default() -> Self {
        Self { neighbours: 50, shrinkage: 10.0 }
    }
}

/// Each item's nearest neighbours: the cosine of the weights that users give to the two, shrunk (`KnnSettings`).
#[derive(Debug, Clone, PartialEq)]
pub struct ItemNeighbours {
    /// Neighbours of item i: `neighbours[starts[i]..starts[i + 1]]`, the nearest first.
    starts: Vec<usize>,
    neighbours: Vec<(u32, f64)>,
}

impl ItemNeighbours {
    /// The time grows with the sum over users of the square of their items. Of equally near items the smaller id is kept.
    pub fn fit(interactions: &Interactions, settings: &KnnSettings) -> Result<Self> {
        at_least_one("neighbours", settings.neighbours)?;
        if !(settings.shrinkage >= 0.0 && settings.shrinkage.is_finite()) {
            return Err(Error::Setting { name: "shrinkage", value: settings.shrinkage, valid: "0 or more and finite" });
        }
        let users = matrix(interactions)?;
        Ok(Self::among(&users, &users.transposed(), settings))
    }

    /// The same of a matrix of users by items and its transpose.
    pub(super) fn among(users: &Sparse, items: &Sparse, settings: &KnnSettings) -> Self {
        let squares = |item: usize| items.row(item).iter().map(|&(_, w)| f64::from(w) * f64::from(w)).sum::<f64>();
        let norms: Vec<f64> = (0..items.rows()).into_par_iter().map(|item| squares(item).sqrt()).collect();
        let nearest = |sums: &mut Sums, item: usize| {
            for &(user, weight) in items.row(item) {
                for &(other, other_weight) in users.row(user as usize) {
                    sums.add(other, f64::from(weight) * f64::from(other_weight));
                }
            }
            let mut near = sums.take(|other, sum| {
                let common = f64::from(sum.terms);
                let shrunk = common / (common + settings.shrinkage);
                (other as usize != item).then(|| sum.total / (norms[item] * norms[other as usize]) * shrunk)
            });
            keep_top(&mut near, settings.neighbours);
            near
        };
        let each: Vec<Vec<(u32, f64)>> =
            (0..items.rows()).into_par_iter().map_init(|| Sums::new(items.rows()), nearest).collect();
        let mut starts = vec![0];
        each.iter().for_each(|near| starts.push(starts[starts.len() - 1] + near.len()));
        Self { starts, neighbours: each.concat() }
    }

    /// Items in the catalogue.
    pub fn catalogue(&self) -> usize {
        self.starts.len() - 1
    }

    /// Neighbours of an item of the catalogue and their similarity, the nearest first.
    pub fn of(&self, item: u32) -> &[(u32, f64)] {
        &self.neighbours[self.starts[item as usize]..self.starts[item as usize + 1]]
    }

    /// The `n` best items for each history, by user, the best first; fewer where the history has fewer neighbours. The
    /// score of an item is the sum over the bought items that it is a neighbour of: weight times similarity. The histories
    /// may be of other users than in the fit, with the same catalogue.
    pub fn recommend(&self, histories: &Interactions, n: usize) -> Result<Vec<Recommendation>> {
        at_least_one("count", n)?;
        same_length("the catalogue", self.catalogue(), histories.catalogue)?;
        let users = matrix(histories)?;
        let best = |(sums, largest): &mut (Sums, Vec<(f64, u32)>), user: usize| {
            let history = users.row(user);
            for &(bought, weight) in history {
                for &(item, similarity) in self.of(bought) {
                    let term = f64::from(weight) * similarity;
                    sums.add(item, term);
                    let largest = &mut largest[item as usize];
                    if sums.terms(item) == 1 || term > largest.0 {
                        *largest = (term, bought);
                    }
                }
            }
            let bought = |item: u32| history.binary_search_by_key(&item, |entry| entry.0).is_ok();
            let mut scored = sums.take(|item, sum| (!bought(item)).then_some(sum.total));
            keep_top(&mut scored, n);
            let because = |item: u32| Some(largest[item as usize].1);
            let recommendation =
                |(item, score)| Recommendation { user: user as u32, item, score, because: because(item) };
            scored.into_iter().map(recommendation).collect::<Vec<_>>()
        };
        // The largest term of each item's sum and the bought item that gave it, the first of equal ones.
        let scratch = || (Sums::new(self.catalogue()), vec![(0.0, 0); self.catalogue()]);
        let each: Vec<Vec<Recommendation>> = (0..users.rows()).into_par_iter().map_init(scratch, best).collect();
        Ok(each.concat())
    }
}

/// Sums for some of the items, and which of them were touched.
struct Sums {
    sums: Vec<Sum>,
    touched: Vec<u32>,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    total: f64,
    terms: u32,
}

impl Sums {
    fn new(items: usize) -> Self {
        Self { sums: vec![Sum::default(); items], touched: Vec::new() }
    }

    fn add(&mut self, item: u32, term: f64) {
        let sum = &mut self.sums[item as usize];
        if sum.terms == 0 {
            self.touched.push(item);
        }
        sum.total += term;
        sum.terms += 1;
    }

    fn terms(&self, item: u32) -> u32 {
        self.sums[item as usize].terms
    }

    /// What `value` gives for each touched item, and clears all.
    fn take(&mut self, mut value: impl FnMut(u32, Sum) -> Option<f64>) -> Vec<(u32, f64)> {
        let mut taken = Vec::with_capacity(self.touched.len());
        for item in self.touched.drain(..) {
            let sum = std::mem::take(&mut self.sums[item as usize]);
            taken.extend(value(item, sum).map(|value| (item, value)));
        }
        taken
    }
}
