//! [`Terms`]: texts as rows of numbers, each term by how much it says of its text (TF-IDF).

use std::collections::HashMap;

use foldhash::fast::FixedState;
use rayon::prelude::*;

use super::words::words;
use crate::sparse::{Sparse, rarity};

/// Texts whose words are held at a time.
const PORTION: usize = 4096;
/// A term of one text alone says nothing of any other.
const LEAST_TEXTS: u32 = 2;

/// A word and, of a pair, the one after it.
type Term = (u32, Option<u32>);

/// The terms of texts that two of them or more have.
pub(super) struct Terms {
    /// In the order of their characters.
    pub(super) names: Vec<String>,
    /// Texts by terms: 1 + ln(times in the text), times [`rarity`], over the length of the row (scikit-learn's `TfidfVectorizer(sublinear_tf=True, min_df=2)`).
    pub(super) matrix: Sparse,
}

impl Terms {
    /// Terms are the words that `keeps` lets through and, `with_pairs`, any two words side by side, by which "not good" and
    /// 不 喜欢 are not what "good" and 喜欢 are.
    pub(super) fn of(texts: &[&str], with_pairs: bool, keeps: fn(&str) -> bool) -> Self {
        let (dictionary, counted) = count(texts, with_pairs, keeps);
        let mut frequency: HashMap<Term, u32, FixedState> = HashMap::default();
        counted.iter().flatten().for_each(|(term, _)| *frequency.entry(*term).or_default() += 1);
        frequency.retain(|_, texts| *texts >= LEAST_TEXTS);
        let name = |(word, next): Term| match next {
            Some(next) => format!("{} {}", dictionary[word as usize], dictionary[next as usize]),
            None => dictionary[word as usize].clone(),
        };
        let mut kept: Vec<(String, Term, u32)> = frequency.into_iter().map(|(term, n)| (name(term), term, n)).collect();
        kept.par_sort_unstable();
        let columns: HashMap<Term, u32, FixedState> = kept.iter().map(|kept| kept.1).zip(0..).collect();
        let rarity: Vec<f64> = kept.iter().map(|(_, _, having)| rarity(texts.len(), *having as usize)).collect();
        let mut matrix = Sparse::new(kept.len());
        for text in counted {
            let weight = |(term, times): (Term, u32)| {
                let column = *columns.get(&term)?;
                Some((column, (1.0 + f64::from(times).ln()) * rarity[column as usize]))
            };
            let mut row: Vec<(u32, f64)> = text.into_iter().filter_map(weight).collect();
            row.sort_unstable_by_key(|(column, _)| *column);
            let length = row.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
            matrix.push(row.into_iter().map(|(column, weight)| (column, (weight / length) as f32)));
        }
        Self { names: kept.into_iter().map(|(name, ..)| name).collect(), matrix }
    }
}

/// All words, and the terms of each text with how often it has them.
fn count(texts: &[&str], with_pairs: bool, keeps: fn(&str) -> bool) -> (Vec<String>, Vec<Vec<(Term, u32)>>) {
    let (mut dictionary, mut counted) = (Vec::new(), Vec::with_capacity(texts.len()));
    let mut numbers: HashMap<String, u32, FixedState> = HashMap::default();
    for portion in texts.chunks(PORTION) {
        let portion: Vec<Vec<String>> = portion.par_iter().map(|text| words(text)).collect();
        for text in portion {
            let number = |word: String| match numbers.get(&word) {
                Some(number) => *number,
                None => {
                    let number = dictionary.len() as u32;
                    dictionary.push(word.clone());
                    numbers.insert(word, number);
                    number
                }
            };
            let text: Vec<u32> = text.into_iter().filter(|word| keeps(word)).map(number).collect();
            let pairs = text.windows(2).filter(|_| with_pairs).map(|pair| (pair[0], Some(pair[1])));
            let mut terms: Vec<Term> = text.iter().map(|word| (*word, None)).chain(pairs).collect();
            terms.sort_unstable();
            counted.push(terms.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u32)).collect());
        }
    }
    (dictionary, counted)
}
