use super::Interactions;
use crate::error::{Error, Result};
use crate::sparse::Sparse;

/// Users by items.
pub(super) fn matrix(interactions: &Interactions) -> Result<Sparse> {
    interactions.check()?;
    let Interactions { offsets, items, weights, catalogue } = *interactions;
    let mut matrix = Sparse::new(catalogue);
    let mut row: Vec<(u32, f32)> = Vec::new();
    for (customer, pair) in offsets.windows(2).enumerate() {
        let range = pair[0]..pair[1];
        row.clear();
        row.extend(items[range.clone()].iter().copied().zip(weights[range].iter().copied()));
        // Stable, so that weights of one item add up in the order given.
        row.sort_by_key(|&(item, _)| item);
        let sum = |same: &[(u32, f32)]| (same[0].0, same.iter().map(|&(_, weight)| weight).sum());
        matrix.push(row.chunk_by(|a, b| a.0 == b.0).map(sum));
        if let Some(&(_, sum)) = matrix.row(customer).iter().find(|(_, sum): &&(u32, f32)| !sum.is_finite()) {
            let (what, value) = ("the sum of an item's weights", f64::from(sum));
            return Err(Error::Customer { customer, what, value, valid: "a finite number" });
        }
    }
    Ok(matrix)
}
