//! What texts are about: topics are groups of words that texts have together, found by non-negative matrix factorisation of
//! the words' TF-IDF (Lee & Seung, Nature 401, 1999). Nobody names them but their own words.

use std::cmp::Reverse;

use super::nmf::Factors;
use super::terms::Terms;
use super::words::is_topical;
use crate::error::{Error, Result};

/// How topics are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TopicSettings {
    /// Topics at most, 1 or more: fewer where there are fewer texts or words.
    pub count: usize,
    /// Words told of each topic at most, 1 or more.
    pub words: usize,
}

impl Default for TopicSettings {
    fn default() -> Self {
        Self { count: 8, words: 3 }
    }
}

/// The topics of some texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Topics {
    /// The words of each topic, the heaviest first. The first topic is that of most texts.
    pub words: Vec<Vec<String>>,
    /// Of each text the topic it has most of; `None` where it has no word of any.
    pub of_texts: Vec<Option<Topic>>,
    /// The share of the squared TF-IDF that the topics leave unexplained, 0 to 1.
    pub unexplained: f64,
}

/// A text's main topic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Topic {
    /// Its place in the list of topics.
    pub number: usize,
    /// How much of what the topics explain of the text is this one's, 0 to 1.
    pub weight: f64,
}

/// Topics of texts, by the words that two or more of them have, without stop words.
pub fn topics(texts: &[&str], settings: &TopicSettings) -> Result<Topics> {
    let TopicSettings { count, words } = *settings;
    for (name, value) in [("count", count), ("words", words)] {
        if value == 0 {
            return Err(Error::Setting { name, value: 0.0, valid: "1 or more" });
        }
    }
    let terms = Terms::of(texts, false, is_topical);
    let rank = count.min(texts.len()).min(terms.matrix.columns);
    if rank == 0 {
        return Ok(Topics { words: Vec::new(), of_texts: vec![None; texts.len()], unexplained: 1.0 });
    }
    let factors = Factors::of(&terms.matrix, rank);
    let mut weight = vec![0.0; rank];
    factors.right.chunks(rank).for_each(|row| weight.iter_mut().zip(row).for_each(|(sum, w)| *sum += w));
    let main: Vec<Option<Topic>> = factors.left.chunks(rank).map(|row| main_topic(row, &weight)).collect();
    let mut order: Vec<(usize, usize)> = (0..rank).map(|topic| (texts_of(&main, topic), topic)).collect();
    order.retain(|(texts, _)| *texts > 0);
    order.sort_by_key(|&(texts, topic)| (Reverse(texts), topic));
    let mut place = vec![0; rank];
    order.iter().enumerate().for_each(|(number, (_, topic))| place[*topic] = number);
    let of_texts =
        main.into_iter().map(|main| main.map(|topic| Topic { number: place[topic.number], ..topic })).collect();
    let words = order.iter().map(|(_, topic)| heaviest(&factors, *topic, &terms.names, words)).collect();
    Ok(Topics { words, of_texts, unexplained: factors.unexplained })
}

/// `row` has a text's part of each topic, `weight` the weight of a topic's words.
fn main_topic(row: &[f64], weight: &[f64]) -> Option<Topic> {
    let says: Vec<f64> = row.iter().zip(weight).map(|(part, weight)| part * weight).collect();
    let sum: f64 = says.iter().sum();
    let number = (1..says.len()).fold(0, |best, topic| if says[topic] > says[best] { topic } else { best });
    (sum > 0.0).then(|| Topic { number, weight: says[number] / sum })
}

fn texts_of(main: &[Option<Topic>], topic: usize) -> usize {
    main.iter().flatten().filter(|main| main.number == topic).count()
}

fn heaviest(factors: &Factors, topic: usize, names: &[String], most: usize) -> Vec<String> {
    let weight = |word: usize| factors.right[word * factors.rank + topic];
    let mut words: Vec<usize> = (0..names.len()).filter(|word| weight(*word) > 0.0).collect();
    // Single precision, so that words of equal weight come in their order and not in that of rounding.
    words.sort_by(|a, b| (weight(*b) as f32).total_cmp(&(weight(*a) as f32)).then(a.cmp(b)));
    words.into_iter().take(most).map(|word| names[word].clone()).collect()
}
