//! The packed store: all customers' events in a few flat columns.
//!
//! Events of one customer are a contiguous run in time order, as they lie in the warehouse, so a history is a range and
//! nothing is padded or copied. Text is kept once per distinct value; events hold codes.

use std::collections::HashMap;
use std::ops::Range;

/// The text columns of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    Kind,
    Product,
    Category,
    Channel,
}

impl Field {
    /// Every field, in the order in which per-field arrays are indexed.
    pub const ALL: [Field; 4] = [Field::Kind, Field::Product, Field::Category, Field::Channel];

    /// The field's column in `core.timeline`.
    pub fn column(self) -> &'static str {
        match self {
            Field::Kind => "kind",
            Field::Product => "product_id",
            Field::Category => "category",
            Field::Channel => "channel",
        }
    }

    /// The field's place in [`Field::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// All customers' events, packed: customer `c` owns the events of [`Sequences::range`]`(c)`, in time order.
#[derive(Debug, Clone, Default)]
pub struct Sequences {
    pub(crate) customers: Vec<String>,
    pub(crate) index: HashMap<String, usize>,
    /// `customers + 1` numbers: where each customer's events begin.
    pub(crate) offsets: Vec<usize>,
    pub(crate) event_time: Vec<i64>,
    pub(crate) known_time: Vec<i64>,
    /// `i64::MAX` for what is in force.
    pub(crate) superseded_at: Vec<i64>,
    pub(crate) codes: [Vec<u32>; 4],
    pub(crate) amount: Vec<f32>,
    pub(crate) dictionaries: [Dictionary; 4],
}

impl Sequences {
    /// The customers' ids, in the order in which they came.
    pub fn customers(&self) -> &[String] {
        &self.customers
    }

    /// The number of a customer, if he has events.
    pub fn customer(&self, id: &str) -> Option<usize> {
        self.index.get(id).copied()
    }

    /// How many events there are.
    pub fn event_count(&self) -> usize {
        self.event_time.len()
    }

    /// The events of a customer.
    pub fn range(&self, customer: usize) -> Range<usize> {
        self.offsets[customer]..self.offsets[customer + 1]
    }

    /// When an event happened, in microseconds since 1970 UTC.
    pub fn event_time(&self, event: usize) -> i64 {
        self.event_time[event]
    }

    /// When the company could have known of an event, in microseconds since 1970 UTC.
    pub fn known_time(&self, event: usize) -> i64 {
        self.known_time[event]
    }

    /// The amount of an event in the source's currency; 0 where it has none.
    pub fn amount(&self, event: usize) -> f32 {
        self.amount[event]
    }

    /// A text field of an event, as a code: 0 is NULL, else see [`Sequences::text`].
    pub fn code(&self, event: usize, field: Field) -> u32 {
        self.codes[field.index()][event]
    }

    /// The text behind a code; `None` for 0 (NULL) and for codes that no event has.
    pub fn text(&self, field: Field, code: u32) -> Option<&str> {
        self.dictionaries[field.index()].text(code)
    }

    /// The code of a text. A text that no event holds gets a code past all others, which a
    /// [`crate::Vocabulary`] takes for unknown.
    pub fn code_of(&self, field: Field, text: &str) -> u32 {
        let dictionary = &self.dictionaries[field.index()];
        dictionary.codes.get(text).copied().unwrap_or(dictionary.texts.len() as u32 + 1)
    }

    /// How many codes a field has, the one for NULL included.
    pub fn code_count(&self, field: Field) -> usize {
        self.dictionaries[field.index()].texts.len() + 1
    }

    /// Whether an event counts at a cut-off: it happened before it and was known before it, and what superseded it was
    /// not.
    pub fn is_visible(&self, event: usize, as_of: i64) -> bool {
        self.event_time[event] < as_of && self.known_time[event] < as_of && as_of <= self.superseded_at[event]
    }

    /// The events of a customer that count at a cut-off, in time order.
    pub fn visible(&self, customer: usize, as_of: i64) -> impl DoubleEndedIterator<Item = usize> {
        self.range(customer).filter(move |&event| self.is_visible(event, as_of))
    }
}

/// The distinct texts of a field; code 0 is NULL, code `i + 1` is `texts[i]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dictionary {
    texts: Vec<String>,
    codes: HashMap<String, u32>,
}

impl Dictionary {
    /// The code of a text, new if it was not seen before.
    pub(crate) fn intern(&mut self, text: Option<&str>) -> u32 {
        let Some(text) = text else { return 0 };
        if let Some(&code) = self.codes.get(text) {
            return code;
        }
        self.texts.push(text.to_owned());
        let code = self.texts.len() as u32;
        self.codes.insert(text.to_owned(), code);
        code
    }

    fn text(&self, code: u32) -> Option<&str> {
        self.texts.get((code as usize).checked_sub(1)?).map(String::as_str)
    }
}
