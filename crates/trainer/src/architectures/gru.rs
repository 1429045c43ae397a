//! A gated recurrent unit (Cho et al. 2014; for sequences of items GRU4Rec: Hidasi et al. 2016) in place of attention: what is
//! known of all earlier events is one state that each event changes.

use tch::Tensor;

use super::Architecture;
use crate::config::RawModel;
use crate::inputs::Inputs;
use crate::layers::{Dropout, FeedForward, LayerNorm, Linear, dimensions};
use crate::parameters::{Layout, Weights};

#[derive(Debug)]
pub(super) struct Gru {
    blocks: Vec<Block>,
}

impl Gru {
    pub(super) fn new(layout: &mut Layout, model: &RawModel) -> Self {
        let [width, feed_forward] = [model.width, model.feed_forward].map(|size| size as i64);
        let block = |i| Block::new(layout, &format!("block_{i}"), width, feed_forward);
        Self { blocks: (0..model.layers).map(block).collect() }
    }
}

impl Architecture for Gru {
    fn forward(&self, weights: &Weights, mut x: Tensor, _inputs: &Inputs, dropout: Dropout) -> Tensor {
        for block in &self.blocks {
            x = block.forward(weights, &x, dropout);
        }
        x
    }
}

/// A recurrent layer on a layer norm of its input, then a feed-forward layer, each added to its input.
#[derive(Debug)]
struct Block {
    norm: LayerNorm,
    /// To the reset gate, the update gate and the new state, side by side: of the input and of the last state.
    input: Linear,
    state: Linear,
    output: Linear,
    feed_forward: FeedForward,
}

impl Block {
    fn new(layout: &mut Layout, path: &str, width: i64, inner: i64) -> Self {
        const GATES: i64 = 3;
        let mut linear = |name: &str, inputs, outputs| Linear::new(layout, &format!("{path}.{name}"), inputs, outputs);
        let (input, state) = (linear("input", width, GATES * width), linear("state", width, GATES * width));
        let output = linear("output", width, width);
        let (up, down) = (linear("up", width, inner * width), linear("down", inner * width, width));
        let norm = LayerNorm::new(layout, &format!("{path}.norm_recurrent"), width);
        let norm_feed_forward = LayerNorm::new(layout, &format!("{path}.norm_feed_forward"), width);
        Self { norm, input, state, output, feed_forward: FeedForward { norm: norm_feed_forward, up, down } }
    }

    /// `[B, W, D]` → `[B, W, D]`.
    fn forward(&self, weights: &Weights, x: &Tensor, dropout: Dropout) -> Tensor {
        let [batch, _, width] = dimensions(x);
        let start = x.new_zeros([1, batch, width], (x.kind(), x.device()));
        let layers = [&self.input, &self.state];
        let biases = layers.iter().filter_map(|layer| layer.bias(weights));
        let parameters: Vec<&Tensor> = layers.iter().map(|layer| layer.weight(weights)).chain(biases).collect();
        let normed = self.norm.forward(weights, x);
        let (states, _) = normed.gru(&start, &parameters, true, 1, 0.0, false, false, true);
        let x = x + dropout.apply(&self.output.forward(weights, &states));
        self.feed_forward.forward(weights, &x, dropout)
    }
}
