//! The layers of the encoder, each a few slots of the flat parameters and a function of them.

use tch::Tensor;

use crate::parameters::{Init, Layout, Slot, Weights};

/// The share of values to drop in this forward pass; nothing when scoring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout(pub(crate) f64);

impl Dropout {
    /// No dropout.
    pub(crate) const NONE: Dropout = Dropout(0.0);

    pub(crate) fn apply(self, x: &Tensor) -> Tensor {
        if self.0 > 0.0 { x.dropout(self.0, true) } else { x.shallow_clone() }
    }
}

/// y = W x + b.
#[derive(Debug)]
pub(crate) struct Linear {
    weight: Slot,
    bias: Slot,
}

impl Linear {
    pub(crate) fn new(layout: &mut Layout, path: &str, inputs: i64, outputs: i64) -> Self {
        // Xavier: keeps the variance of values and gradients through the layer (Glorot and Bengio 2010).
        let deviation = (2.0 / (inputs + outputs) as f64).sqrt();
        Self {
            weight: layout.add_decayed(format!("{path}.weight"), &[outputs, inputs], Init::Normal(deviation)),
            bias: layout.add(format!("{path}.bias"), &[outputs], Init::Constant(0.0)),
        }
    }

    /// A layer that at first gives `bias` for every input.
    pub(crate) fn starting_at(layout: &mut Layout, path: &str, inputs: i64, bias: Vec<f32>) -> Self {
        let outputs = bias.len() as i64;
        Self {
            weight: layout.add_decayed(format!("{path}.weight"), &[outputs, inputs], Init::Constant(0.0)),
            bias: layout.add(format!("{path}.bias"), &[outputs], Init::Values(bias)),
        }
    }

    pub(crate) fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        x.linear(weights.get(self.weight), Some(weights.get(self.bias)))
    }
}

/// Layer normalisation over the last dimension (Ba, Kiros, Hinton 2016).
#[derive(Debug)]
pub(crate) struct LayerNorm {
    width: i64,
    weight: Slot,
    bias: Slot,
}

impl LayerNorm {
    pub(crate) fn new(layout: &mut Layout, path: &str, width: i64) -> Self {
        Self {
            width,
            weight: layout.add(format!("{path}.weight"), &[width], Init::Constant(1.0)),
            bias: layout.add(format!("{path}.bias"), &[width], Init::Constant(0.0)),
        }
    }

    pub(crate) fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        const EPSILON: f64 = 1e-5;
        x.layer_norm([self.width], Some(weights.get(self.weight)), Some(weights.get(self.bias)), EPSILON, true)
    }
}

/// A pre-norm Transformer block: attention to what came before, then a feed-forward layer, each added to its input.
#[derive(Debug)]
pub(crate) struct Block {
    heads: i64,
    norm_attention: LayerNorm,
    query: Linear,
    key_value: Linear,
    output: Linear,
    norm_feed_forward: LayerNorm,
    up: Linear,
    down: Linear,
}

/// Which token of each example is read, where only one is.
pub(crate) struct Read<'a> {
    /// Its row in the flattened tokens, `[B]`.
    pub(crate) rows: &'a Tensor,
    /// Which tokens it sees, `[B, 1, 1, W]`, boolean.
    pub(crate) mask: &'a Tensor,
}

impl Block {
    pub(crate) fn new(layout: &mut Layout, path: &str, width: i64, heads: i64, feed_forward: i64) -> Self {
        let mut linear = |name: &str, inputs, outputs| Linear::new(layout, &format!("{path}.{name}"), inputs, outputs);
        let query = linear("query", width, width);
        let key_value = linear("key_value", width, 2 * width);
        let output = linear("output", width, width);
        let up = linear("up", width, feed_forward * width);
        let down = linear("down", feed_forward * width, width);
        let norm_attention = LayerNorm::new(layout, &format!("{path}.norm_attention"), width);
        let norm_feed_forward = LayerNorm::new(layout, &format!("{path}.norm_feed_forward"), width);
        Self { heads, norm_attention, query, key_value, output, norm_feed_forward, up, down }
    }

    /// All tokens, `[B, W, D]` → `[B, W, D]`: each attends to itself and those before it.
    pub(crate) fn forward(&self, weights: &Weights, x: &Tensor, dropout: Dropout) -> Tensor {
        let normed = self.norm_attention.forward(weights, x);
        let attended = self.attend(weights, &normed, &normed, None);
        self.finish(weights, x, &attended, dropout)
    }

    /// One token per example, `[B, W, D]` → `[B, 1, D]`: the same as [`Block::forward`] there, without the work at
    /// all other tokens. The last block of a head that reads one token needs no more.
    pub(crate) fn forward_read(&self, weights: &Weights, x: &Tensor, read: &Read, dropout: Dropout) -> Tensor {
        let [batch, _, width] = dimensions(x);
        let normed = self.norm_attention.forward(weights, x);
        let pick = |x: &Tensor| x.reshape([-1, width]).index_select(0, read.rows).view([batch, 1, width]);
        let attended = self.attend(weights, &pick(&normed), &normed, Some(read.mask));
        self.finish(weights, &pick(x), &attended, dropout)
    }

    /// Attention of `from` `[B, Q, D]` to `to` `[B, W, D]`; causal unless a mask says what is seen.
    fn attend(&self, weights: &Weights, from: &Tensor, to: &Tensor, mask: Option<&Tensor>) -> Tensor {
        let [batch, queries, width] = dimensions(from);
        let query = split_heads(&self.query.forward(weights, from), self.heads);
        let key_value = self.key_value.forward(weights, to).chunk(2, 2);
        let (key, value) = (split_heads(&key_value[0], self.heads), split_heads(&key_value[1], self.heads));
        let attended =
            Tensor::scaled_dot_product_attention(&query, &key, &value, mask, 0.0, mask.is_none(), None, false);
        attended.transpose(1, 2).reshape([batch, queries, width])
    }

    fn finish(&self, weights: &Weights, x: &Tensor, attended: &Tensor, dropout: Dropout) -> Tensor {
        let x = x + dropout.apply(&self.output.forward(weights, attended));
        let normed = self.norm_feed_forward.forward(weights, &x);
        let inner = self.up.forward(weights, &normed).relu();
        &x + dropout.apply(&self.down.forward(weights, &inner))
    }
}

/// `[B, W, D]` → `[B, heads, W, D / heads]`.
fn split_heads(x: &Tensor, heads: i64) -> Tensor {
    let [batch, tokens, width] = dimensions(x);
    x.reshape([batch, tokens, heads, width / heads]).transpose(1, 2)
}

/// The size of a tensor of three dimensions.
pub(crate) fn dimensions(x: &Tensor) -> [i64; 3] {
    let size = x.size();
    [size[0], size[1], size[2]]
}
