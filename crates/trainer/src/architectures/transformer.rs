//! A causal pre-norm Transformer (SASRec: Kang and McAuley 2018; pre-norm: Xiong et al. 2020) that sees positions by rotation,
//! as distances.

use tch::{Device, Kind, Tensor};

use super::{Architecture, pick};
use crate::config::RawModel;
use crate::inputs::Inputs;
use crate::layers::{Dropout, FeedForward, LayerNorm, Linear, dimensions, split_heads};
use crate::parameters::{Layout, Weights};

#[derive(Debug)]
pub(super) struct Transformer {
    width: i64,
    heads: i64,
    blocks: Vec<Block>,
}

impl Transformer {
    pub(super) fn new(layout: &mut Layout, model: &RawModel) -> Self {
        let [width, heads, feed_forward] = [model.width, model.heads, model.feed_forward].map(|size| size as i64);
        let block = |i| Block::new(layout, &format!("block_{i}"), width, heads, feed_forward);
        Self { width, heads, blocks: (0..model.layers).map(block).collect() }
    }

    fn rotation(&self, inputs: &Inputs) -> Rotation {
        Rotation::new(inputs.size.1, self.width, self.heads, inputs.bags.device())
    }
}

impl Architecture for Transformer {
    fn forward(&self, weights: &Weights, mut x: Tensor, inputs: &Inputs, dropout: Dropout) -> Tensor {
        let rotation = self.rotation(inputs);
        for block in &self.blocks {
            x = block.forward(weights, &x, &rotation, dropout);
        }
        x
    }

    /// The last block works for the read tokens alone.
    fn forward_read(&self, weights: &Weights, mut x: Tensor, inputs: &Inputs, dropout: Dropout) -> Tensor {
        let Some((last, before)) = self.blocks.split_last() else { return pick(&x, inputs) };
        let rotation = self.rotation(inputs);
        for block in before {
            x = block.forward(weights, &x, &rotation, dropout);
        }
        last.forward_read(weights, &x, &rotation, inputs, dropout)
    }
}

/// Rotary position embedding (Su et al. 2021, "RoFormer"): pairs of a query's and a key's numbers are turned by angles in
/// proportion to their position, so that attention sees how far apart two tokens are, and nothing else of where they are.
struct Rotation {
    /// `[W, D / 2]`, complex: a turn per token and pair; the heads' turns are the same, side by side.
    turns: Tensor,
}

impl Rotation {
    /// The slowest of many pairs turns once in some 60,000 tokens, of few somewhat sooner.
    const BASE: f64 = 10_000.0;

    fn new(tokens: i64, width: i64, heads: i64, device: Device) -> Self {
        let pairs = width / heads / 2;
        let pair = Tensor::arange(pairs, (Kind::Float, device));
        let speed = (pair * (-Self::BASE.ln() / pairs as f64)).exp().repeat([heads]);
        let angles = Tensor::arange(tokens, (Kind::Float, device)).outer(&speed);
        Self { turns: Tensor::polar(&angles.ones_like(), &angles) }
    }

    /// The turns of one token per example, `[B, 1, D / 2]`.
    fn at(&self, positions: &Tensor) -> Self {
        Self { turns: self.turns.index_select(0, positions).unsqueeze(1) }
    }

    /// `[B, W, n D]` → `[B, W, n D]`: some tensors side by side, each turned the same way.
    fn turn(&self, x: &Tensor) -> Tensor {
        let [batch, tokens, width] = dimensions(x);
        let pairs = self.turns.size()[self.turns.dim() - 1];
        let split = x.to_kind(Kind::Float).view([batch, tokens, width / 2 / pairs, pairs, 2]).view_as_complex();
        (split * self.turns.unsqueeze(-2)).view_as_real().view([batch, tokens, width]).to_kind(x.kind())
    }
}

/// Attention to what came before, then a feed-forward layer, each added to its input.
#[derive(Debug)]
struct Block {
    heads: i64,
    norm_attention: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    feed_forward: FeedForward,
}

impl Block {
    fn new(layout: &mut Layout, path: &str, width: i64, heads: i64, inner: i64) -> Self {
        let mut linear = |name: &str, inputs, outputs| Linear::new(layout, &format!("{path}.{name}"), inputs, outputs);
        let query = linear("query", width, width);
        let key = linear("key", width, width);
        let value = linear("value", width, width);
        let output = linear("output", width, width);
        let (up, down) = (linear("up", width, inner * width), linear("down", inner * width, width));
        let norm_attention = LayerNorm::new(layout, &format!("{path}.norm_attention"), width);
        let norm = LayerNorm::new(layout, &format!("{path}.norm_feed_forward"), width);
        Self { heads, norm_attention, query, key, value, output, feed_forward: FeedForward { norm, up, down } }
    }

    /// All tokens, `[B, W, D]` → `[B, W, D]`: each attends to itself and those before it.
    fn forward(&self, weights: &Weights, x: &Tensor, rotation: &Rotation, dropout: Dropout) -> Tensor {
        let [_, _, width] = dimensions(x);
        let normed = self.norm_attention.forward(weights, x);
        let all = Linear::forward_together(&[&self.query, &self.key, &self.value], weights, &normed);
        let turned = rotation.turn(&all.narrow(2, 0, 2 * width));
        let (query, key) = (turned.narrow(2, 0, width), turned.narrow(2, width, width));
        let attended = self.attend(&query, &key, &all.narrow(2, 2 * width, width), None);
        self.finish(weights, x, &attended, dropout)
    }

    /// The tokens read, `[B, W, D]` → `[B, 1, D]`: the same as [`Block::forward`] there, without the work at all others.
    fn forward_read(
        &self,
        weights: &Weights,
        x: &Tensor,
        rotation: &Rotation,
        inputs: &Inputs,
        dropout: Dropout,
    ) -> Tensor {
        let [_, _, width] = dimensions(x);
        let normed = self.norm_attention.forward(weights, x);
        let positions = inputs.read_rows.remainder(inputs.size.1);
        let query = rotation.at(&positions).turn(&self.query.forward(weights, &pick(&normed, inputs)));
        let both = Linear::forward_together(&[&self.key, &self.value], weights, &normed);
        let key = rotation.turn(&both.narrow(2, 0, width));
        let attended = self.attend(&query, &key, &both.narrow(2, width, width), Some(&inputs.is_real));
        self.finish(weights, &pick(x, inputs), &attended, dropout)
    }

    /// Attention of `query` `[B, Q, D]` to `key` and `value` `[B, W, D]`; causal unless a mask says what is seen.
    fn attend(&self, query: &Tensor, key: &Tensor, value: &Tensor, mask: Option<&Tensor>) -> Tensor {
        let [batch, queries, width] = dimensions(query);
        let [query, key, value] = [query, key, value].map(|x| split_heads(x, self.heads));
        let attended = match mask {
            // By name: libtorch would choose a kernel that it plans anew for every shape of batch, each for as long as
            // many steps take.
            None if query.device().is_cuda() => {
                let (query, key, value) = (&query, &key, &value);
                let no_bias = None::<Tensor>;
                Tensor::internal_scaled_dot_product_efficient_attention(
                    query, key, value, no_bias, true, 0.0, true, None,
                )
                .0
            }
            _ => Tensor::scaled_dot_product_attention(&query, &key, &value, mask, 0.0, mask.is_none(), None, false),
        };
        attended.transpose(1, 2).reshape([batch, queries, width])
    }

    fn finish(&self, weights: &Weights, x: &Tensor, attended: &Tensor, dropout: Dropout) -> Tensor {
        let x = x + dropout.apply(&self.output.forward(weights, attended));
        self.feed_forward.forward(weights, &x, dropout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    #[test]
    fn attention_sees_how_far_apart_two_tokens_are() {
        const WIDTH: i64 = 8;
        let normal = || Tensor::randn([1, 1, WIDTH], (Kind::Float, Device::Cpu));
        let (query, key) = device::seeded(1, 4, || (normal(), normal()));
        let rotation = Rotation::new(50, WIDTH, 2, Device::Cpu);
        let turned = |x: &Tensor| rotation.turn(&x.expand([1, 50, WIDTH], false).contiguous()).squeeze_dim(0);
        let products = turned(&query).matmul(&turned(&key).tr());
        let at = |row: i64, column: i64| products.double_value(&[row, column]);
        assert!((at(9, 4) - at(49, 44)).abs() < 1e-4 && (at(3, 3) - at(0, 0)).abs() < 1e-4);
        // By hand: per pair the real part of q conj(k) e^(i speed distance); two heads with the speeds 1 and 1/100.
        let [q, k] = [&query, &key].map(|x| Vec::<f32>::try_from(x.view([-1])).unwrap());
        let pair = |i: usize| {
            let (a, b, c, d) = (q[2 * i], q[2 * i + 1], k[2 * i], k[2 * i + 1]);
            let angle = 5.0 * [1.0, 0.01][i % 2];
            f64::from(a * c + b * d) * f64::cos(angle) - f64::from(b * c - a * d) * f64::sin(angle)
        };
        let by_hand: f64 = (0..WIDTH as usize / 2).map(pair).sum();
        assert!((at(9, 4) - by_hand).abs() < 1e-4, "{} is not {by_hand}", at(9, 4));
    }
}
