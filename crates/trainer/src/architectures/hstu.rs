//! HSTU (Zhai et al. 2024, "Actions speak louder than words"): attention that weighs without a softmax, so that it counts, and
//! gates what it has found; it sees how many tokens and how much time lie between two of them.

use tch::{Kind, Tensor};

use super::Architecture;
use crate::config::RawModel;
use crate::inputs::Inputs;
use crate::layers::{Dropout, LayerNorm, Linear, dimensions, split_heads};
use crate::parameters::{Init, Layout, Slot, Weights};

#[derive(Debug)]
pub(super) struct Hstu {
    blocks: Vec<Block>,
}

/// What stands between two tokens: all blocks weigh it, each for itself.
struct Distances {
    /// How many tokens, from 0, `[W * W]`; later tokens count as the same one.
    positions: Tensor,
    /// Which [`time_span`] the time between has, `[B * W * W]`.
    spans: Tensor,
    /// What a token's seen ones weigh: 1 over how many they are, and 0 those after it, `[W, W]`.
    shares: Tensor,
}

impl Distances {
    fn new(inputs: &Inputs, most: i64) -> Self {
        let (batch, tokens) = inputs.size;
        let device = inputs.bags.device();
        let places = Tensor::arange(tokens, (Kind::Int64, device));
        let positions = (places.unsqueeze(1) - &places).clamp(0, most - 1).view([-1]);
        let [asked, times] = [&inputs.asked, &inputs.times].map(|moments| moments.to_device(device));
        let spans = time_span(&(asked.unsqueeze(2) - times.unsqueeze(1)));
        let seen = Tensor::ones([tokens, tokens], (Kind::Float, device)).tril(0);
        let shares = &seen / seen.sum_dim_intlist(1, true, Kind::Float);
        Self { positions, spans: spans.view([batch * tokens * tokens]), shares }
    }
}

/// How many spans of time are told apart, the last of more than all history.
const SPANS: i64 = 128;

/// The span of some microseconds: up to a second the first, each further one of times that are 1.35 times as long (as in the authors'
/// code).
fn time_span(micros: &Tensor) -> Tensor {
    const LOG_STEP: f64 = 0.301;
    let seconds = micros.to_kind(Kind::Float) / 1e6;
    (seconds.clamp_min(1.0).log() / LOG_STEP).floor().clamp_max((SPANS - 1) as f64).to_kind(Kind::Int64)
}

impl Hstu {
    pub(super) fn new(layout: &mut Layout, model: &RawModel) -> Self {
        let [width, heads, length] = [model.width, model.heads, model.length].map(|size| size as i64);
        // One token more than there are events.
        let block = |i| Block::new(layout, &format!("block_{i}"), width, heads, length + 1);
        Self { blocks: (0..model.layers).map(block).collect() }
    }
}

impl Architecture for Hstu {
    fn forward(&self, weights: &Weights, mut x: Tensor, inputs: &Inputs, dropout: Dropout) -> Tensor {
        let Some(first) = self.blocks.first() else { return x };
        let distances = Distances::new(inputs, first.most);
        for block in &self.blocks {
            x = block.forward(weights, &x, &distances, dropout);
        }
        x
    }
}

#[derive(Debug)]
struct Block {
    heads: i64,
    /// How many distances in tokens are told apart.
    most: i64,
    norm: LayerNorm,
    gate: Linear,
    value: Linear,
    query: Linear,
    key: Linear,
    positions: Slot,
    spans: Slot,
    norm_attended: LayerNorm,
    output: Linear,
}

impl Block {
    fn new(layout: &mut Layout, path: &str, width: i64, heads: i64, most: i64) -> Self {
        let mut linear = |name: &str| Linear::without_bias(layout, &format!("{path}.{name}"), width, width);
        let [gate, value, query, key] = ["gate", "value", "query", "key"].map(&mut linear);
        let output = Linear::new(layout, &format!("{path}.output"), width, width);
        let mut bias = |name: &str, count| layout.add(format!("{path}.{name}"), &[count, heads], Init::Normal(0.02));
        let (positions, spans) = (bias("positions", most), bias("spans", SPANS));
        let mut norm = |name: &str| LayerNorm::new(layout, &format!("{path}.{name}"), width);
        let (norm, norm_attended) = (norm("norm"), norm("norm_attended"));
        Self { heads, most, norm, gate, value, query, key, positions, spans, norm_attended, output }
    }

    /// `[B, W, D]` → `[B, W, D]`.
    fn forward(&self, weights: &Weights, x: &Tensor, distances: &Distances, dropout: Dropout) -> Tensor {
        let [batch, tokens, width] = dimensions(x);
        let normed = self.norm.forward(weights, x);
        let together = Linear::forward_together(&[&self.gate, &self.value, &self.query, &self.key], weights, &normed);
        let mut parts = together.silu().chunk(4, 2).into_iter();
        let mut next = || parts.next().unwrap_or_else(|| x.shallow_clone());
        let gate = next();
        let [value, query, key] = [next(), next(), next()].map(|part| split_heads(&part, self.heads));
        // [W, W, H] and [B, W, W, H] → heads first.
        let positions = weights.get(self.positions).index_select(0, &distances.positions);
        let positions = positions.view([tokens, tokens, self.heads]).permute([2, 0, 1]);
        let spans = weights.get(self.spans).index_select(0, &distances.spans);
        let spans = spans.view([batch, tokens, tokens, self.heads]).permute([0, 3, 1, 2]);
        let scores = query.matmul(&key.transpose(2, 3)) + positions + spans;
        let attended = (scores.silu() * distances.shares.to_kind(x.kind())).matmul(&value);
        let attended = attended.transpose(1, 2).reshape([batch, tokens, width]);
        let gated = gate * self.norm_attended.forward(weights, &attended);
        x + dropout.apply(&self.output.forward(weights, &gated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_times_are_further_spans() {
        let micros = [-5i64, 0, 900_000, 1_400_000, 60_000_000, 86_400_000_000, i64::MAX / 2];
        let spans = Vec::<i64>::try_from(time_span(&Tensor::from_slice(&micros))).unwrap();
        // floor(ln(seconds) / .301), by hand.
        assert_eq!(spans, [0, 0, 0, 1, 13, 37, 96]);
    }
}
