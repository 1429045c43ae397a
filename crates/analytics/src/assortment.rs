//! Defines what lists of products show of a catalogue: how much of it, and how far from what everybody buys anyway. Beside
//! ranks, because a recommender that shows all customers the same ten best sellers may rank well and be of no use.

use crate::error::{Error, Result, not_empty};

/// Of all lists together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assortment {
    /// Share of the catalogue that is on at least one list.
    pub coverage: f64,
    /// Mean self-information of what is shown, −log₂ of the share of customers who have the product, in bits (Vargas,
    /// Castells 2011). A product that nobody has counts as if one customer had it.
    pub novelty: f64,
}

/// Coverage and novelty of lists of products, numbered from 0: `holders[p]` of `customers` have product p.
///
/// # Errors
/// An empty catalogue; nothing shown; a product beyond the catalogue; a product held by more than all customers.
pub fn assortment(lists: &[Vec<usize>], holders: &[u32], customers: u32) -> Result<Assortment> {
    not_empty("catalogue", holders.len())?;
    if let Some(row) = holders.iter().position(|&holders| holders > customers) {
        let valid = "at most the number of customers";
        return Err(Error::Value { what: "holders", row, value: f64::from(holders[row]), valid });
    }
    let mut is_shown = vec![false; holders.len()];
    let (mut bits, mut shown) = (0.0, 0u64);
    for (row, list) in lists.iter().enumerate() {
        for &product in list {
            let Some(&held) = holders.get(product) else {
                return Err(Error::Value { what: "product", row, value: product as f64, valid: "in the catalogue" });
            };
            is_shown[product] = true;
            bits += (f64::from(customers.max(1)) / f64::from(held.max(1))).log2();
            shown += 1;
        }
    }
    not_empty("products shown", shown as usize)?;
    let covered = is_shown.iter().filter(|shown| **shown).count();
    Ok(Assortment { coverage: covered as f64 / holders.len() as f64, novelty: bits / shown as f64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_catalogue_and_the_mean_of_one_and_three_bits() {
        let lists = [vec![0, 1], vec![1, 0]];
        let found = assortment(&lists, &[4, 1, 8, 0], 8).unwrap();
        assert_eq!(found, Assortment { coverage: 0.5, novelty: 2.0 });
        let unheld = assortment(&[vec![3]], &[4, 1, 8, 0], 8).unwrap();
        assert_eq!(unheld.novelty, 3.0, "as if one had it");
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        assert!(matches!(assortment(&[vec![0]], &[], 1), Err(Error::Empty { what: "catalogue" })));
        assert!(matches!(assortment(&[vec![]], &[1], 1), Err(Error::Empty { what: "products shown" })));
        assert!(matches!(assortment(&[vec![], vec![1]], &[1], 1), Err(Error::Value { what: "product", row: 1, .. })));
        assert!(matches!(assortment(&[vec![0]], &[2], 1), Err(Error::Value { what: "holders", row: 0, .. })));
    }
}
