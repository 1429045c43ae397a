//! A packed batch → the padded tensors of one forward pass.
//!
//! Examples are left-aligned, so that causal attention alone keeps real tokens from seeing padding, and no mask is
//! needed. Every id of an event becomes a row of *one* embedding table (see [`Table`]), so that an event is the sum of
//! a bag of rows: one operation instead of one per field.

use std::collections::HashMap;

use sequences::{Batch, CONTEXT_FEATURES, EVENT_FEATURES, FIRST_KNOWN, Field, PAD, UNKNOWN, Vocabulary};
use tch::{Device, Kind, Tensor};

use crate::memory::has_memory;
use crate::scaling::Scaling;
use crate::{Head, device};

/// Which rows of the embedding table belong to what.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// The fields that tell events apart, each with the row of its first id after `PAD`.
    fields: Vec<(Field, i64)>,
    /// The same of the last order's product, where every token carries it: the next order is often of that product too, or
    /// of one that goes with it, and what is bought after it need not be like it.
    last_product: Option<i64>,
    /// The row that marks the token which is no event.
    extra: i64,
    /// The rows of known products: the first, and how many.
    pub(crate) products: (i64, i64),
}

impl Table {
    /// The row of padding and of missing values, which adds nothing.
    pub(crate) const PAD: i64 = PAD as i64;

    pub(crate) fn new(vocabulary: &Vocabulary, head: Head) -> Self {
        let mut next = Self::PAD + 1;
        let mut add = |field| {
            let first = next;
            // PAD is shared by all fields.
            next += vocabulary.id_count(field) as i64 - 1;
            (first, next)
        };
        let (mut fields, mut products) = (Vec::new(), (Self::PAD + 1, 0));
        for field in Field::ALL {
            let known = vocabulary.texts(field).len() as i64;
            // Every event has a kind; another field may be missing, so that one text of it tells events apart.
            if known == 0 || (known == 1 && field == Field::Kind) {
                continue;
            }
            let (first, end) = add(field);
            if field == Field::Product {
                products = (end - known, known);
            }
            fields.push((field, first));
        }
        let last_product = has_memory(head, vocabulary).then(|| add(Field::Product).0);
        Self { fields, last_product, extra: next, products }
    }

    /// Where a field's row stands in a bag.
    pub(crate) fn place(&self, field: Field) -> Option<usize> {
        self.fields.iter().position(|(of, _)| *of == field)
    }

    /// How many rows make a token.
    pub(crate) fn bag(&self) -> usize {
        (self.fields.len() + usize::from(self.last_product.is_some())).max(1)
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> i64 {
        self.extra + 1
    }

    /// For each row its place in another table: where that has the same text, or what is the same in every table; none for
    /// what is new. Each table comes with the vocabulary that it was made for.
    pub(crate) fn places_in(&self, own: &Vocabulary, other: &Table, others: &Vocabulary) -> Vec<Option<i64>> {
        let mut places = vec![None; self.rows() as usize];
        places[Self::PAD as usize] = Some(Self::PAD);
        places[self.extra as usize] = Some(other.extra);
        for (field, role, first) in self.blocks() {
            let Some((.., there)) = other.blocks().find(|block| (block.0, block.1) == (field, role)) else { continue };
            let known: HashMap<&str, u32> = others.texts(field).iter().map(String::as_str).zip(FIRST_KNOWN..).collect();
            let same = own.texts(field).iter().zip(FIRST_KNOWN..);
            let same = same.filter_map(|(text, id)| Some((id, *known.get(text.as_str())?)));
            for (id, others_id) in same.chain([(UNKNOWN, UNKNOWN)]) {
                places[Self::row(first, id) as usize] = Some(Self::row(there, others_id));
            }
        }
        places
    }

    /// The rows' blocks: of which field, in which role, and the row of its first id after `PAD`.
    fn blocks(&self) -> impl Iterator<Item = (Field, Role, i64)> {
        let last_product = self.last_product.map(|first| (Field::Product, Role::LastOrder, first));
        self.fields.iter().map(|&(field, first)| (field, Role::Event, first)).chain(last_product)
    }

    fn row(first: i64, id: u32) -> i64 {
        if id == PAD { Self::PAD } else { first + i64::from(id) - 1 }
    }
}

/// What the text that a row stands for is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Event,
    LastOrder,
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
            Head::Churn | Head::NextPurchase | Head::Clv | Head::Binary | Head::Count | Head::Amount => Extra::Query,
        }
    }
}

/// How many of [`EVENT_FEATURES`] the head's events carry: the last one looks back from the cut-off, which a loss at
/// earlier events must not see, and items of a list are in no order whose largest line they could be.
pub(crate) fn feature_count(head: Head) -> usize {
    match head {
        Head::NextItem => EVENT_FEATURES.len() - 2,
        Head::NextPurchase => EVENT_FEATURES.len() - 1,
        Head::Churn | Head::Clv | Head::Binary | Head::Count | Head::Amount => EVENT_FEATURES.len(),
    }
}

/// The tensors of one forward pass over `B` examples, padded to `W` tokens: their events and one more.
pub(crate) struct Inputs {
    /// Rows of the table per token, `[B * W, bag]`.
    pub(crate) bags: Tensor,
    /// Standardised numbers per event, `[B, W, features]`, 0 at other tokens.
    pub(crate) features: Tensor,
    /// Standardised aggregates per example, `[B, context]`.
    pub(crate) context: Tensor,
    /// What each example brings: its encoded features, then its offsets less their means, `[B, encoded + offsets]`; none where
    /// the model has neither.
    pub(crate) customer: Option<Tensor>,
    /// How many offsets there are.
    offsets: i64,
    /// 1 at the query token, `[B, W, 1]`; all 0 where the extra token is a start.
    pub(crate) is_query: Tensor,
    /// The row of the token to read in `[B * W]`, `[B]`.
    pub(crate) read_rows: Tensor,
    /// Which tokens are no padding, `[B, 1, 1, W]`, boolean.
    pub(crate) is_real: Tensor,
    /// When each token happened, in microseconds since 1970 UTC, `[B, W]`; on the CPU, for most architectures do not read it.
    pub(crate) times: Tensor,
    /// When what comes after it is asked for, `[B, W]`, on the CPU: that moment itself for a head that learns the next item of a list, as in
    /// HSTU's own protocol; the token's own time where the time of the next event is asked for, too.
    pub(crate) asked: Tensor,
    /// `B` and `W`.
    pub(crate) size: (i64, i64),
}

impl Inputs {
    pub(crate) fn new(batch: &Batch, table: &Table, scaling: &Scaling, head: Head, device: Device) -> Self {
        let (examples, tokens) = (batch.len(), padded_length(batch.longest() + 1, device));
        let features = feature_count(head);
        let extra = Extra::of(head);
        let mut padded = Padded {
            bags: vec![Table::PAD; examples * tokens * table.bag()],
            features: vec![0.0; examples * tokens * features],
            is_query: vec![0.0; examples * tokens],
            is_real: vec![false; examples * tokens],
            times: vec![0; examples * tokens],
            asked: vec![0; examples * tokens],
            read_rows: Vec::with_capacity(examples),
        };
        for example in 0..examples {
            let events = batch.offsets[example]..batch.offsets[example + 1];
            let (length, first) = (events.len(), example * tokens);
            let last_event = events.clone().last();
            let (extra_token, first_event) = match extra {
                Extra::Start => (first, first + 1),
                Extra::Query => (first + length, first),
            };
            for (event, token) in events.zip(first_event..) {
                padded.put_event(batch, event, token, table, scaling, features);
            }
            // Where there is a last product there is another field before it, that of products.
            let extra_bag = &mut padded.bags[extra_token * table.bag()..][..table.bag()];
            extra_bag[0] = table.extra;
            if let (Some(first), Some(last), [_, .., row]) = (table.last_product, last_event, extra_bag) {
                *row = Table::row(first, batch.last_products[last]);
            }
            padded.is_query[extra_token] = f32::from(extra == Extra::Query);
            padded.is_real[first..=first + length].fill(true);
            padded.put_times(&batch.times[batch.offsets[example]..][..length], batch.as_of[example], first, extra);
            padded.read_rows.push((first + length) as i64);
        }
        let context = batch.context.iter().zip(scaling.context.iter().cycle());
        let context: Vec<f32> = context.map(|(x, moments)| moments.standardise(*x)).collect();

        let given = batch.customer_features.len() / examples.max(1);
        let encoded = scaling.widths().iter().sum::<i64>();
        let mut customer = Vec::with_capacity(examples * encoded as usize);
        batch.customer_features.chunks_exact(given.max(1)).for_each(|values| scaling.encode(values, &mut customer));

        let (b, w) = (examples as i64, tokens as i64);
        let customer = (encoded > 0).then(|| device::send(&customer, device).view([b, encoded]));
        Self {
            bags: device::send(&padded.bags, device).view([b * w, table.bag() as i64]),
            features: device::send(&padded.features, device).view([b, w, features as i64]),
            context: device::send(&context, device).view([b, CONTEXT_FEATURES.len() as i64]),
            customer,
            offsets: scaling.offsets.len() as i64,
            is_query: device::send(&padded.is_query, device).view([b, w, 1]),
            read_rows: device::send(&padded.read_rows, device),
            is_real: device::send(&padded.is_real, device).view([b, 1, 1, w]),
            times: Tensor::from_slice(&padded.times).view([b, w]),
            asked: Tensor::from_slice(&padded.asked).view([b, w]),
            size: (b, w),
        }
    }

    /// The same tokens with other numbers.
    pub(crate) fn with_numbers(&self, features: Tensor, context: Tensor, customer: Option<Tensor>) -> Self {
        Self {
            bags: self.bags.shallow_clone(),
            features,
            context,
            customer,
            offsets: self.offsets,
            is_query: self.is_query.shallow_clone(),
            read_rows: self.read_rows.shallow_clone(),
            is_real: self.is_real.shallow_clone(),
            times: self.times.shallow_clone(),
            asked: self.asked.shallow_clone(),
            size: self.size,
        }
    }

    /// The encoded features of each example, `[B, encoded]`; none where the model has none.
    pub(crate) fn features_of_customers(&self) -> Option<Tensor> {
        let customer = self.customer.as_ref()?;
        let encoded = customer.size()[1] - self.offsets;
        (encoded > 0).then(|| customer.narrow(1, 0, encoded))
    }

    /// Its offsets less their means, `[B, offsets]`; none where the model has none.
    pub(crate) fn offsets(&self) -> Option<Tensor> {
        let customer = self.customer.as_ref().filter(|_| self.offsets > 0)?;
        Some(customer.narrow(1, customer.size()[1] - self.offsets, self.offsets))
    }

    /// 1 at events, 0 at padding and at the token of asking, `[B, W, 1]`.
    pub(crate) fn is_event(&self) -> Tensor {
        let (batch, tokens) = self.size;
        self.is_real.view([batch, tokens, 1]).to_kind(Kind::Float) - &self.is_query
    }
}

/// Which features of which examples a training step takes for the average customer's: dropout (Srivastava et al. 2014) of
/// whole features, whose numbers are 0 on average.
pub(crate) struct FeatureDropout {
    /// Of each number that an example's features become, the place of its feature, `[encoded]`.
    columns: Tensor,
    features: i64,
    share: f64,
}

impl FeatureDropout {
    /// Of what is dropped more often nothing is learnt, and what is left shouts.
    const MOST: f64 = 0.8;

    /// For a training of so many examples; see `RawTraining::feature_prior`.
    pub(crate) fn new(scaling: &Scaling, prior: usize, examples: usize, device: Device) -> Self {
        Self {
            columns: device::send(&scaling.features_of_columns(), device),
            features: scaling.customer_features.len() as i64,
            share: (prior as f64 / (prior + examples).max(1) as f64).min(Self::MOST),
        }
    }

    /// The same inputs, where what is left of the features weighs more for what is dropped.
    pub(crate) fn apply(&self, inputs: &Inputs) -> Inputs {
        let features = inputs.features_of_customers().map(|features| {
            let random = Tensor::rand([inputs.size.0, self.features], (Kind::Float, features.device()));
            let kept = random.ge(self.share).to_kind(Kind::Float).index_select(1, &self.columns);
            features * kept / (1.0 - self.share)
        });
        let parts: Vec<Tensor> = features.into_iter().chain(inputs.offsets()).collect();
        let customer = (!parts.is_empty()).then(|| Tensor::cat(&parts, 1));
        inputs.with_numbers(inputs.features.shallow_clone(), inputs.context.shallow_clone(), customer)
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
    times: Vec<i64>,
    asked: Vec<i64>,
    read_rows: Vec<i64>,
}

impl Padded {
    /// Of an example's events and its extra token, from `first` on.
    fn put_times(&mut self, events: &[i64], as_of: i64, first: usize, extra: Extra) {
        let tokens = first..=first + events.len();
        let (times, asked) = (&mut self.times[tokens.clone()], &mut self.asked[tokens]);
        match extra {
            Extra::Start => {
                times[0] = events.first().copied().unwrap_or(as_of);
                times[1..].copy_from_slice(events);
                asked[..events.len()].copy_from_slice(events);
                asked[events.len()] = as_of;
            }
            Extra::Query => {
                times[..events.len()].copy_from_slice(events);
                times[events.len()] = as_of;
                asked.copy_from_slice(times);
            }
        }
    }

    fn put_event(
        &mut self,
        batch: &Batch,
        event: usize,
        token: usize,
        table: &Table,
        scaling: &Scaling,
        features: usize,
    ) {
        let rows = table.fields.iter().map(|&(field, first)| Table::row(first, batch.ids[field.index()][event]));
        let last_product = table.last_product.map(|first| Table::row(first, batch.last_products[event]));
        let bag = &mut self.bags[token * table.bag()..][..table.bag()];
        bag.iter_mut().zip(rows.chain(last_product)).for_each(|(to, row)| *to = row);
        let from = &batch.features[event * EVENT_FEATURES.len()..][..features];
        let to = &mut self.features[token * features..][..features];
        for ((to, from), moments) in to.iter_mut().zip(from).zip(&scaling.features) {
            *to = moments.standardise(*from);
        }
    }
}
