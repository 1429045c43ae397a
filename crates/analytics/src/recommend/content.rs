use super::Interactions;
use super::knn::{ItemNeighbours, KnnSettings};
use super::matrix::matrix;
use super::top::at_least_one;
use crate::error::Result;
use crate::sparse::rarity;

/// Each item's `count` nearest neighbours by what is said about the items, so that one that nobody bought yet has
/// neighbours too.
///
/// In `attributes` a user is an item and an item an attribute (a word of a name, a brand, a band of prices); a weight says
/// how much it describes the item, such as how often the word occurs. The similarity of two items is the cosine of weights
/// times their [`rarity`]: sharing a rare word says more than sharing a common one. Items without a common attribute are no
/// neighbours. The time grows with the sum over attributes of the square of their items.
pub fn similar_items(attributes: &Interactions, count: usize) -> Result<ItemNeighbours> {
    at_least_one("count", count)?;
    let described = matrix(attributes)?;
    let by_attribute = described.transposed();
    let items = described.rows();
    let rarities = (0..by_attribute.rows()).map(|attribute| rarity(items, by_attribute.row(attribute).len()));
    let described = described.scaled(&rarities.collect::<Vec<_>>());
    // An attribute is to items what a user is to purchases.
    let settings = KnnSettings { neighbours: count, shrinkage: 0.0 };
    Ok(ItemNeighbours::among(&described.transposed(), &described, &settings))
}
