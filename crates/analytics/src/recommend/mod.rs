//! What a customer is likely to buy of what he has not bought, from what all customers bought. Data are *implicit*: a
//! weight says how sure we are that somebody likes an item (times bought, say), and its absence says little.
//! `ItemNeighbours` (items that the same people buy) can give a reason for each answer; `Als` (factors of users and items)
//! also reaches items that nobody bought together with the user's; `similar_items` (items that are described alike) needs
//! no purchase at all. `diversified` picks from anybody's scored list what is good and not all the same.
//!
//! Both models keep items only and score a *history*, so that a customer who came after the training gets an answer like
//! any other. Items are numbered from 0, as by a dictionary, because models hold a row for each.

mod als;
mod content;
mod diversity;
mod knn;
mod matrix;
mod top;
mod vector;

use crate::error::{Error, Result, not_empty, same_length};

pub use als::{Als, AlsSettings};
pub use content::similar_items;
pub use diversity::{Candidate, DiversitySettings, diversified};
pub use knn::{ItemNeighbours, KnnSettings};

/// Who bought what. User u has `items[offsets[u]..offsets[u + 1]]`, in any order, with weights above 0. Weights of an item
/// twice with one user add up.
#[derive(Debug, Clone, Copy)]
pub struct Interactions<'a> {
    pub offsets: &'a [usize],
    pub items: &'a [u32],
    pub weights: &'a [f32],
    /// How many items there are; each of `items` is below.
    pub catalogue: usize,
}

/// An item that a user has not bought. Scores of different models have different scales.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recommendation {
    /// As numbered in the histories given.
    pub user: u32,
    pub item: u32,
    pub score: f64,
    /// The item of the user's history that adds most to the score; `None` from a model of factors.
    pub because: Option<u32>,
}

impl Interactions<'_> {
    fn check(&self) -> Result<()> {
        let Self { offsets, items, weights, catalogue } = self;
        not_empty("users", offsets.len().saturating_sub(1))?;
        same_length("weights", items.len(), weights.len())?;
        for (name, value) in
            [("the number of users", offsets.len()), ("the catalogue", *catalogue), ("the number of rows", items.len())]
        {
            if value == 0 && name == "the catalogue" || value >= u32::MAX as usize {
                return Err(Error::Setting { name, value: value as f64, valid: "1 or more and below 2^32 - 1" });
            }
        }
        let last = offsets.len() - 1;
        let bad = (0..=last).find(|&u| {
            let least = if u == 0 { 0 } else { offsets[u - 1] };
            offsets[u] < least || (u == 0 && offsets[0] != 0) || (u == last && offsets[last] != items.len())
        });
        if let Some(row) = bad {
            let valid = "0 at first, never less than the one before, and the number of rows at last";
            return Err(Error::Value { what: "user offset", row, value: offsets[row] as f64, valid });
        }
        if let Some(row) = items.iter().position(|&item| item as usize >= *catalogue) {
            let valid = "an item of the catalogue: 0 or more, and below its size";
            return Err(Error::Value { what: "item", row, value: f64::from(items[row]), valid });
        }
        match weights.iter().position(|&weight| !(weight > 0.0 && weight.is_finite())) {
            Some(row) => {
                let valid = "above 0 and finite";
                Err(Error::Value { what: "weight", row, value: f64::from(weights[row]), valid })
            }
            None => Ok(()),
        }
    }
}
