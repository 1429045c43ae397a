//! The encoder: a customer's events become tokens, and an architecture makes of them what each has seen.

use sequences::CONTEXT_FEATURES;
use tch::Tensor;

use crate::architectures::{self, Architecture};
use crate::config::RawModel;
use crate::inputs::{Inputs, Table};
use crate::layers::{Dropout, LayerNorm, Linear};
use crate::parameters::{Init, Layout, Slot, Weights};

/// Name of the embedding table among the parameters.
pub(crate) const TABLE: &str = "table";

/// Tokens → what each of them has seen.
#[derive(Debug)]
pub(crate) struct Encoder {
    width: i64,
    products: (i64, i64),
    table: Slot,
    features: Linear,
    context: Linear,
    /// `None` where the model reads no features.
    customer: Option<Linear>,
    architecture: Box<dyn Architecture>,
    norm: LayerNorm,
}

impl Encoder {
    pub(crate) fn new(layout: &mut Layout, model: &RawModel, table: &Table, features: usize, customer: usize) -> Self {
        let width = model.width as i64;
        // Small, so that the tied product scores start nearly equal.
        const TABLE_DEVIATION: f64 = 0.02;
        Self {
            width,
            products: table.products,
            table: layout.add(TABLE.to_owned(), &[table.rows(), width], Init::Normal(TABLE_DEVIATION)),
            // Without a bias: what is the same in every token only drowns what is not.
            features: Linear::without_bias(layout, "features", features as i64, width),
            context: Linear::without_bias(layout, "context", CONTEXT_FEATURES.len() as i64, width),
            customer: (customer > 0).then(|| Linear::without_bias(layout, "customer", customer as i64, width)),
            architecture: architectures::new(layout, model),
            norm: LayerNorm::new(layout, "norm", width),
        }
    }

    /// Every token's state, `[B, W, D]`.
    pub(crate) fn forward(&self, weights: &Weights, inputs: &Inputs, dropout: Dropout) -> Tensor {
        let tokens = self.embed(weights, inputs, dropout);
        self.norm.forward(weights, &self.architecture.forward(weights, tokens, inputs, dropout))
    }

    /// The state of each example's token to read, `[B, D]`: that of [`Encoder::forward`], with less work.
    pub(crate) fn forward_read(&self, weights: &Weights, inputs: &Inputs, dropout: Dropout) -> Tensor {
        self.read(weights, inputs, self.embed(weights, inputs, dropout), dropout)
    }

    /// The same where each token's rows `[B, W, D]` are given, as [`Encoder::rows`] gives them, and nothing is dropped.
    pub(crate) fn read_rows(&self, weights: &Weights, inputs: &Inputs, rows: &Tensor) -> Tensor {
        self.read(weights, inputs, self.tokens(weights, inputs, rows), Dropout::NONE)
    }

    fn read(&self, weights: &Weights, inputs: &Inputs, tokens: Tensor, dropout: Dropout) -> Tensor {
        let read = self.architecture.forward_read(weights, tokens, inputs, dropout);
        self.norm.forward(weights, &read).view([-1, self.width])
    }

    /// The known products' embeddings, `[products, D]`, with which products are scored, too; exact.
    pub(crate) fn products(&self, weights: &Weights) -> Tensor {
        let (first, count) = self.products;
        weights.exact(self.table).narrow(0, first, count)
    }

    fn embed(&self, weights: &Weights, inputs: &Inputs, dropout: Dropout) -> Tensor {
        dropout.apply(&self.tokens(weights, inputs, &self.rows(weights, inputs)))
    }

    /// Each token's sum of its rows of the table, `[B, W, D]`.
    pub(crate) fn rows(&self, weights: &Weights, inputs: &Inputs) -> Tensor {
        let (batch, tokens) = inputs.size;
        let bag = inputs.bags.size()[1];
        let offsets = Tensor::arange_start_step(0, batch * tokens * bag, bag, (tch::Kind::Int64, inputs.bags.device()));
        const SUM: i64 = 0;
        let (rows, ..) = Tensor::embedding_bag_padding_idx(
            // Exact, because a row that many events share sums up many small gradients.
            weights.exact(self.table),
            &inputs.bags.view([-1]),
            &offsets,
            false,
            SUM,
            false,
            None::<Tensor>,
            false,
            Table::PAD,
        );
        rows.view([batch, tokens, self.width]) * self.scale()
    }

    /// One field's part of [`Encoder::rows`], by the field's place in a bag; 0 for a field that is in none.
    pub(crate) fn field_rows(&self, weights: &Weights, inputs: &Inputs, place: Option<usize>) -> Tensor {
        let (batch, tokens) = inputs.size;
        let Some(place) = place else {
            return inputs
                .features
                .new_zeros([batch, tokens, self.width], (tch::Kind::Float, inputs.features.device()));
        };
        let bags = inputs.bags.select(1, place as i64);
        let is_row = bags.not_equal(Table::PAD).to_kind(tch::Kind::Float).unsqueeze(1);
        let rows = weights.exact(self.table).index_select(0, &bags) * is_row;
        rows.view([batch, tokens, self.width]) * self.scale()
    }

    /// As in SASRec, so that what a block adds does not drown the small embeddings.
    fn scale(&self) -> f64 {
        (self.width as f64).sqrt()
    }

    /// What the architecture reads of each token.
    fn tokens(&self, weights: &Weights, inputs: &Inputs, rows: &Tensor) -> Tensor {
        let number = |x: &Tensor| x.to_kind(weights.kind());
        let mut query = self.context.forward(weights, &number(&inputs.context));
        if let (Some(layer), Some(customer)) = (&self.customer, inputs.features_of_customers()) {
            query += layer.forward(weights, &number(&customer));
        }
        let features = self.features.forward(weights, &number(&inputs.features));
        number(rows) + features + query.unsqueeze(1) * number(&inputs.is_query)
    }
}
