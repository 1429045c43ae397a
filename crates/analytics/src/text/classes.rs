//! Labels of texts, learned from the texts that have one. Every text gets an answer that its own label did not teach: those
//! with a label by models of the other folds, so that comparing the answers with the labels is cross-validation, and the
//! rest by a model of all labels. Terms and their rarity come from all texts, which tells nothing of any label.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::softmax::Softmax;
use super::terms::Terms;
use crate::error::{Error, Result, positive, same_length};
use crate::sparse::Sparse;

/// How labels are learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassSettings {
    /// Penalty of the squared weights, above 0; more trusts single terms less.
    pub l2: f64,
    /// Parts that the texts with a label fall into, 2 or more. The same text with the same label twice stays in one part.
    pub folds: usize,
    /// Of the draw of the parts.
    pub seed: u64,
}

impl Default for ClassSettings {
    fn default() -> Self {
        Self { l2: 0.25, folds: 5, seed: 0 }
    }
}

/// What a text was found to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Class {
    pub label: u32,
    /// Of this label, according to the model.
    pub probability: f64,
    /// Terms of the text that speak for the label, the strongest first; at most [`MOST_REASONS`], none where the text has
    /// no known term that does.
    pub reasons: Vec<String>,
}

/// Terms told for each answer.
const MOST_REASONS: usize = 3;

/// The label of each text: logistic regression over the TF-IDF of words and pairs of words. Labels are numbered from 0, as
/// by a dictionary. Fails where fewer than two labels are given, or one has fewer than two different texts.
pub fn classify(texts: &[&str], labels: &[Option<u32>], settings: &ClassSettings) -> Result<Vec<Class>> {
    let ClassSettings { l2, folds, seed } = *settings;
    same_length("labels", texts.len(), labels.len())?;
    positive("l2", l2)?;
    if folds < 2 {
        return Err(Error::Setting { name: "folds", value: folds as f64, valid: "2 or more" });
    }
    let count = labels.iter().flatten().max().map_or(0, |most| *most as usize + 1);
    let parts = parts(texts, labels, count, folds, seed)?;
    let terms = Terms::of(texts, true, |_| true);
    let mut found: Vec<Option<Class>> = vec![None; texts.len()];
    for part in (0..folds).map(Some).chain([None]) {
        let asked: Vec<usize> = (0..texts.len()).filter(|row| parts[*row] == part).collect();
        if asked.is_empty() {
            continue;
        }
        let taught: Vec<(usize, u32)> = given(labels).filter(|(row, _)| parts[*row] != part).collect();
        let mut x = Sparse::new(terms.matrix.columns);
        taught.iter().for_each(|(row, _)| x.push(terms.matrix.row(*row).iter().copied()));
        let y: Vec<u32> = taught.iter().map(|(_, label)| *label).collect();
        let model = Softmax::fit(&x, &y, count, l2);
        let answers: Vec<Class> = asked.par_iter().map(|row| answer(&model, &terms, *row)).collect();
        asked.into_iter().zip(answers).for_each(|(row, answer)| found[row] = Some(answer));
    }
    Ok(found.into_iter().flatten().collect())
}

/// The rows with a label.
fn given(labels: &[Option<u32>]) -> impl Iterator<Item = (usize, u32)> {
    labels.iter().enumerate().filter_map(|(row, label)| Some((row, (*label)?)))
}

fn answer(model: &Softmax, terms: &Terms, row: usize) -> Class {
    let (label, probability) = model.predict(&terms.matrix, row);
    let speaks = |&(term, value): &(u32, f32)| (term, model.speaks_for(label, (term, value)));
    let mut reasons: Vec<(u32, f64)> =
        terms.matrix.row(row).iter().map(speaks).filter(|(_, says)| *says > 0.0).collect();
    reasons.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    reasons.truncate(MOST_REASONS);
    let reasons = reasons.into_iter().map(|(term, _)| terms.names[term as usize].clone()).collect();
    Class { label, probability, reasons }
}

/// The part of each text with a label, `None` for the others. The different texts of each label are dealt out in random
/// order, so that every part has its share of them.
fn parts(texts: &[&str], labels: &[Option<u32>], count: usize, folds: usize, seed: u64) -> Result<Vec<Option<usize>>> {
    // By label, the first rows of its different texts.
    let mut first_rows: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut first_row: HashMap<(u32, &str), usize, FixedState> = HashMap::default();
    for (row, label) in given(labels) {
        first_row.entry((label, texts[row])).or_insert_with(|| {
            first_rows[label as usize].push(row);
            row
        });
    }
    let different = first_rows.iter().filter(|rows| !rows.is_empty()).count();
    if different < 2 {
        let why = if different == 0 { "no text has a label" } else { "all labels are the same" };
        return Err(Error::Undefined { metric: "a model of labels", why });
    }
    if let Some(rows) = first_rows.iter().find(|rows| rows.len() == 1) {
        let what = "the number of different texts with its label";
        return Err(Error::Value { what, row: rows[0], value: 1.0, valid: "2 or more" });
    }
    let mut parts = vec![None; texts.len()];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut next = 0;
    for rows in &mut first_rows {
        rows.shuffle(&mut rng);
        for row in rows.iter() {
            parts[*row] = Some(next % folds);
            next += 1;
        }
    }
    given(labels).for_each(|(row, label)| parts[row] = parts[first_row[&(label, texts[row])]]);
    Ok(parts)
}
