//! What the lists of products show of the catalogue, beside what customers really bought.

use crate::error::Result;
use crate::evaluation::SHOWN;
use analytics::assortment::assortment;
use rayon::prelude::*;
use sequences::{Field, PURCHASE, Sequences};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;

/// Coverage and novelty of everybody's list, and of what the buyers among them bought.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// Length of each list.
    pub products: usize,
    /// Products that the model knows.
    pub catalogue: usize,
    /// Share of the catalogue that is on at least one list.
    pub coverage: f64,
    /// Mean self-information of what is shown, in bits: −log₂ of the share of earlier buyers who had bought it.
    pub novelty: f64,
    /// The same of what was bought; absent where nothing of the catalogue was.
    pub bought_coverage: Option<f64>,
    pub bought_novelty: Option<f64>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown { products, catalogue, coverage, novelty, bought_coverage, bought_novelty } = self;
        let coverage = 100.0 * coverage;
        write!(
            f,
            "of {catalogue} products the first {products} of everybody show {coverage:.1} %, {novelty:.2} bits each"
        )?;
        match bought_coverage.zip(*bought_novelty) {
            Some((coverage, novelty)) => write!(f, "; bought were {:.1} %, {novelty:.2} bits each", 100.0 * coverage),
            None => Ok(()),
        }
    }
}

impl Shown {
    /// `lists` holds places in `catalogue`, `bought` names. Absent without a catalogue.
    pub(crate) fn new(
        sequences: &Sequences,
        as_of: i64,
        catalogue: &[String],
        lists: &[Vec<usize>],
        bought: &[String],
    ) -> Result<Option<Shown>> {
        if lists.iter().all(Vec::is_empty) {
            return Ok(None);
        }
        let (holders, customers) = holders(sequences, as_of, catalogue);
        let places: HashMap<&str, usize> = catalogue.iter().map(String::as_str).zip(0..).collect();
        let bought: Vec<usize> = bought.iter().filter_map(|product| places.get(product.as_str()).copied()).collect();
        let shown = assortment(lists, &holders, customers)?;
        let bought = match bought.is_empty() {
            true => None,
            false => Some(assortment(&[bought], &holders, customers)?),
        };
        Ok(Some(Shown {
            products: (SHOWN as usize).min(catalogue.len()),
            catalogue: catalogue.len(),
            coverage: shown.coverage,
            novelty: shown.novelty,
            bought_coverage: bought.map(|bought| bought.coverage),
            bought_novelty: bought.map(|bought| bought.novelty),
        }))
    }
}

/// How many customers had bought each product before the cut-off, and how many had bought any.
fn holders(sequences: &Sequences, as_of: i64, catalogue: &[String]) -> (Vec<u32>, u32) {
    let purchase = sequences.code_of(Field::Kind, PURCHASE);
    let code = |product: &String| sequences.code_of(Field::Product, product);
    let places: HashMap<u32, usize> = catalogue.iter().map(code).zip(0..).filter(|(code, _)| *code != 0).collect();
    let held = |customer: usize| {
        let bought = sequences.visible(customer, as_of).filter(|&event| sequences.code(event, Field::Kind) == purchase);
        let products = bought.filter_map(|event| places.get(&sequences.code(event, Field::Product)).copied());
        let mut products: Vec<usize> = products.collect();
        products.sort_unstable();
        products.dedup();
        products
    };
    let held: Vec<Vec<usize>> = (0..sequences.customers().len()).into_par_iter().map(held).collect();
    let mut holders = vec![0; catalogue.len()];
    held.iter().flatten().for_each(|&product| holders[product] += 1);
    (holders, held.iter().filter(|held| !held.is_empty()).count() as u32)
}
