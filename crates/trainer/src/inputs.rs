//! A packed batch → the padded tensors of one forward pass.
//!
//! Examples are left-aligned, so that causal attention alone keeps real tokens from seeing padding, and no mask is
//! needed. Every id of an event becomes a row of *one* embedding table (see [`Table`]), so that an event is the sum of
//! a bag of rows: one operation instead of one per field.

use sequences::{Batch, CONTEXT_FEATURES, EVENT_FEATURES, Field, PAD, Vocabulary};
use tch::{Device, Kind, Tensor};

use crate::scaling::Scaling;
use crate::{Head, device};

/// Which rows of the embedding table belong to what.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// Per field the row of its first id after `PAD`; none for a field that is the same in all events.
    fields: [Option<i64>; 4],
    /// The row that marks the token which is no event.
    extra: i64,
    /// The rows of known products: the first, and how many.
    pub(crate) products: (i64, i64),
}

impl Table {
    /// The row of padding and of missing values, which adds nothing.
    pub(crate) const PAD: i64 = PAD as i64;
    /// How many rows make a token.
    pub(crate) const BAG: usize = Field::ALL.len();

    pub(crate) fn new(vocabulary: &Vocabulary) -> Self {
        let mut next = Self::PAD + 1;
        let mut products = (next, 0);
        let fields = Field::ALL.map(|field| {
            let known = vocabulary.texts(field).len() as i64;
            // Every event has a kind; another field may be missing, so that one text of it tells events apart.
            if known == 0 || (known == 1 && field == Field::Kind) {
                return None;
            }
            let first = next;
            // PAD is shared by all fields.
            next += vocabulary.id_count(field) as i64 - 1;
            if field == Field::Product {
                products = (next - known, known);
            }
            Some(first)
        });
        Self { fields, extra: next, products }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> i64 {
        self.extra + 1
    }

    fn row(&self, field: Field, id: u32) -> i64 {
        match self.fields[field.index()] {
            Some(first) if id != PAD => first + i64::from(id) - 1,
            _ => Self::PAD,
        }
    }
}

/// Where the token stands that is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extra {
    /// Before the first event, a mere start: the newest event's token is read.
    Start,
    /// After the last event, the moment of asking: it carries the aggregates, and is read.
    Query,
}

impl Extra {
    pub(crate) fn of(head: Head) -> Self {
        match head {
            Head::NextItem => Extra::Start,
            Head::Churn | Head::NextPurchase | Head::Clv => Extra::Query,
        }
    }
}

/// How many of [`EVENT_FEATURES`] the head's events carry: the last one looks back from the cut-off, which a loss at
/// earlier events must not see.
pub(crate) fn feature_count(head: Head) -> usize {
    EVENT_FEATURES.len() - usize::from(head.ranks_products())
}

/// The tensors of one forward pass over `B` examples, padded to `W` tokens: their events and one more.
pub(crate) struct Inputs {
    /// Rows of the table per token, `[B * W, BAG]`.
    pub(crate) bags: Tensor,
    /// Standardised numbers per event, `[B, W, features]`, 0 at other tokens.
    pub(crate) features: Tensor,
    /// Standardised aggregates per example, `[B, context]`.
    pub(crate) context: Tensor,
    /// The encoded features of each example, `[B, encoded]`; none where the model has none.
    pub(crate) customer: Option<Tensor>,
    /// 1 at the query token, `[B, W, 1]`; all 0 where the extra token is a start.
    pub(crate) is_query: Tensor,
    /// The row of the token to read in `[B * W]`, `[B]`.
    pub(crate) read_rows: Tensor,
    /// Which tokens are no padding, `[B, 1, 1, W]`, boolean.
    pub(crate) is_real: Tensor,
    /// `B` and `W`.
    pub(crate) size: (i64, i64),
}

impl Inputs {
    pub(crate) fn new(batch: &Batch, table: &Table, scaling: &Scaling, head: Head, device: Device) -> Self {
        let (examples, tokens) = (batch.len(), padded_length(batch.longest() + 1, device));
        let features = feature_count(head);
        let extra = Extra::of(head);
        let mut padded = Padded {
            bags: vec![Table::PAD; examples * tokens * Table::BAG],
            features: vec![0.0; examples * tokens * features],
            is_query: vec![0.0; examples * tokens],
            is_real: vec![false; examples * tokens],
            read_rows: Vec::with_capacity(examples),
        };
        for example in 0..examples {
            let events = batch.offsets[example]..batch.offsets[example + 1];
            let (length, first) = (events.len(), example * tokens);
            let (extra_token, first_event) = match extra {
                Extra::Start => (first, first + 1),
                Extra::Query => (first + length, first),
            };
            for (event, token) in events.zip(first_event..) {
                padded.put_event(batch, event, token, table, scaling, features);
            }
            padded.bags[extra_token * Table::BAG] = table.extra;
            padded.is_query[extra_token] = f32::from(extra == Extra::Query);
            padded.is_real[first..=first + length].fill(true);
            padded.read_rows.push((first + length) as i64);
        }
        let context = batch.context.iter().zip(scaling.context.iter().cycle());
        let context: Vec<f32> = context.map(|(x, moments)| moments.standardise(*x)).collect();

        let encoded = scaling.customer_width();
        let mut customer = Vec::with_capacity(examples * encoded);
        for (value, feature) in batch.customer_features.iter().zip(scaling.customer_features.iter().cycle()) {
            feature.encode(*value, &mut customer);
        }

        let (b, w) = (examples as i64, tokens as i64);
        let customer = (encoded > 0).then(|| device::send(&customer, device).view([b, encoded as i64]));
        Self {
            bags: device::send(&padded.bags, device).view([b * w, Table::BAG as i64]),
            features: device::send(&padded.features, device).view([b, w, features as i64]),
            context: device::send(&context, device).view([b, CONTEXT_FEATURES.len() as i64]),
            customer,
            is_query: device::send(&padded.is_query, device).view([b, w, 1]),
            read_rows: device::send(&padded.read_rows, device),
            is_real: device::send(&padded.is_real, device).view([b, 1, 1, w]),
            size: (b, w),
        }
    }
}

impl Inputs {
    /// The same tokens with other numbers.
    pub(crate) fn with_numbers(&self, features: Tensor, context: Tensor, customer: Option<Tensor>) -> Self {
        Self {
            bags: self.bags.shallow_clone(),
            features,
            context,
            customer,
            is_query: self.is_query.shallow_clone(),
            read_rows: self.read_rows.shallow_clone(),
            is_real: self.is_real.shallow_clone(),
            size: self.size,
        }
    }

    /// 1 at events, 0 at padding and at the token of asking, `[B, W, 1]`.
    pub(crate) fn is_event(&self) -> Tensor {
        let (batch, tokens) = self.size;
        self.is_real.view([batch, tokens, 1]).to_kind(Kind::Float) - &self.is_query
    }
}

/// A GPU's kernels like multiples, and its memory is handed out by shape: few different ones are reused.
fn padded_length(tokens: usize, device: Device) -> usize {
    const MULTIPLE_CUDA: usize = 8;
    if device.is_cuda() { tokens.next_multiple_of(MULTIPLE_CUDA) } else { tokens }
}

struct Padded {
    bags: Vec<i64>,
    features: Vec<f32>,
    is_query: Vec<f32>,
    is_real: Vec<bool>,
    read_rows: Vec<i64>,
}

impl Padded {
    fn put_event(
        &mut self,
        batch: &Batch,
        event: usize,
        token: usize,
        table: &Table,
        scaling: &Scaling,
        features: usize,
    ) {
        for field in Field::ALL {
            let row = table.row(field, batch.ids[field.index()][event]);
            self.bags[token * Table::BAG + field.index()] = row;
        }
        let from = &batch.features[event * EVENT_FEATURES.len()..][..features];
        let to = &mut self.features[token * features..][..features];
        for ((to, from), moments) in to.iter_mut().zip(from).zip(&scaling.features) {
            *to = moments.standardise(*from);
        }
    }
}
