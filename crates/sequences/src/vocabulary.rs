//! Which texts a model knows, and their ids.
//!
//! Ids belong to a trained model, codes to one [`Sequences`]: a [`Vocabulary`] is fitted once on what training may see
//! and saved with the weights; an [`Encoding`] maps the codes of any later `Sequences` to its ids, so customers and
//! products that came after training are scored too.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::{Field, Sequences};

/// The id of nothing: padding, or an event without a value in this field.
pub const PAD: u32 = 0;
/// The id of every text that the vocabulary does not hold.
pub const UNKNOWN: u32 = 1;
/// The id of a field's first known text; the others follow.
pub const FIRST_KNOWN: u32 = 2;

/// Per field the texts with an id of their own, the most frequent first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    kind: Vec<String>,
    product: Vec<String>,
    category: Vec<String>,
    channel: Vec<String>,
}

impl Vocabulary {
    /// The texts that at least `min_count` events hold which happened and were known before `before` (microseconds
    /// since 1970 UTC); most frequent first, equally frequent ones by name, so that equal data gives equal ids.
    pub fn fit(sequences: &Sequences, before: i64, min_count: usize) -> Self {
        let [kind, product, category, channel] =
            Field::ALL.map(|field| frequent_texts(sequences, field, before, min_count));
        Self { kind, product, category, channel }
    }

    /// This vocabulary with the texts that only `newer` knows after its own, so that every id of a field stays
    /// what it is.
    pub fn extended(&self, newer: &Self) -> Self {
        let extended = |field: Field| -> Vec<String> {
            let own = self.texts(field);
            let known: HashSet<&String> = own.iter().collect();
            own.iter().chain(newer.texts(field).iter().filter(|text| !known.contains(text))).cloned().collect()
        };
        let [kind, product, category, channel] = Field::ALL.map(extended);
        Self { kind, product, category, channel }
    }

    /// The known texts of a field: `texts(field)[i]` has id `FIRST_KNOWN + i`.
    pub fn texts(&self, field: Field) -> &[String] {
        match field {
            Field::Kind => &self.kind,
            Field::Product => &self.product,
            Field::Category => &self.category,
            Field::Channel => &self.channel,
        }
    }

    /// How many ids a field has, [`PAD`] and [`UNKNOWN`] included.
    pub fn id_count(&self, field: Field) -> usize {
        self.texts(field).len() + FIRST_KNOWN as usize
    }

    /// The ids of the codes of `sequences`.
    pub fn encode(&self, sequences: &Sequences) -> Encoding {
        let ids = Field::ALL.map(|field| {
            let known: HashMap<&str, u32> =
                self.texts(field).iter().zip(FIRST_KNOWN..).map(|(text, id)| (text.as_str(), id)).collect();
            let codes = 0..sequences.code_count(field) as u32;
            let id = |code| match sequences.text(field, code) {
                None => PAD,
                Some(text) => known.get(text).copied().unwrap_or(UNKNOWN),
            };
            codes.map(id).collect()
        });
        Encoding { ids }
    }
}

/// Maps the codes of one [`Sequences`] to the ids of one [`Vocabulary`].
#[derive(Debug, Clone)]
pub struct Encoding {
    ids: [Vec<u32>; 4],
}

impl Encoding {
    /// The id of a code; [`UNKNOWN`] for a code that no event has.
    pub fn id(&self, field: Field, code: u32) -> u32 {
        self.ids[field.index()].get(code as usize).copied().unwrap_or(UNKNOWN)
    }
}

fn frequent_texts(sequences: &Sequences, field: Field, before: i64, min_count: usize) -> Vec<String> {
    let mut counts = vec![0usize; sequences.code_count(field)];
    for event in (0..sequences.event_count()).filter(|&event| sequences.is_visible(event, before)) {
        counts[sequences.code(event, field) as usize] += 1;
    }
    let seen = counts.iter().enumerate().filter(|&(_, &count)| count >= min_count.max(1));
    let mut texts: Vec<(usize, &str)> =
        seen.filter_map(|(code, &count)| Some((count, sequences.text(field, code as u32)?))).collect();
    texts.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    texts.into_iter().map(|(_, text)| text.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_texts_come_after_the_known_ones() {
        let fit = |lines: &str| Vocabulary::fit(&Sequences::from_interactions(lines, "x").unwrap(), i64::MAX, 1);
        let earlier = fit("1 tea\n1 jam\n2 jam\n");
        let extended = earlier.extended(&fit("1 oat\n1 rye\n2 oat\n2 tea\n"));
        assert_eq!(extended.texts(Field::Product), ["jam", "tea", "oat", "rye"]);
        assert_eq!(extended.extended(&earlier), extended);
    }

    #[test]
    fn knows_only_what_came_before() {
        // Times are positions: rye is each user's third item, so it is not known before time 2.
        let sequences = Sequences::from_interactions("1 tea\n1 jam\n1 rye\n2 jam\n2 oat\n2 rye\n", "x").unwrap();
        let vocabulary = Vocabulary::fit(&sequences, 2, 1);
        assert_eq!(vocabulary.texts(Field::Product), ["jam", "oat", "tea"]);
        assert_eq!(Vocabulary::fit(&sequences, 2, 2).texts(Field::Product), ["jam"]);
        assert_eq!(vocabulary.id_count(Field::Category), FIRST_KNOWN as usize);

        let encoding = vocabulary.encode(&sequences);
        let id = |text| encoding.id(Field::Product, sequences.code_of(Field::Product, text));
        assert_eq!((id("jam"), id("tea"), id("rye"), id("wine")), (2, 4, UNKNOWN, UNKNOWN));
        assert_eq!(encoding.id(Field::Category, 0), PAD);
    }
}
