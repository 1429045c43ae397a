//! The layers of the encoder, each a few slots of the flat parameters and a function of them.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use crate::parameters::{Init, Layout, Slot, Weights};

/// The share of values to drop in this forward pass; nothing when scoring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout(pub(crate) f64);

impl Dropout {
    /// No dropout.
    pub(crate) const NONE: Dropout = Dropout(0.0);

    pub(crate) fn apply(self, x: &Tensor) -> Tensor {
        match (self.0 > 0.0, x.device()) {
            (false, _) => x.shallow_clone(),
            (true, Device::Cpu) => x * self.mask(&x.size()).to_kind(x.kind()),
            (true, _) => x.dropout(self.0, true),
        }
    }

    /// 0 for what is dropped, and for the rest what makes up for it: libtorch draws its own masks number by number, which
    /// takes a CPU a tenth of a training step.
    fn mask(self, size: &[i64]) -> Tensor {
        const CHOICES: f64 = 65_536.0;
        // So that libtorch's seed decides this, too.
        let seed = Tensor::randint(i64::MAX, [1], (Kind::Int64, Device::Cpu)).int64_value(&[0]);
        let dropped = (self.0 * CHOICES).round();
        let kept = (CHOICES / (CHOICES - dropped)) as f32;
        let mut random = vec![0; 2 * size.iter().product::<i64>() as usize];
        ChaCha8Rng::seed_from_u64(seed as u64).fill_bytes(&mut random);
        let (pairs, _) = random.as_chunks();
        let least = dropped as u32;
        let is_kept = |pair: &[u8; 2]| u32::from(u16::from_le_bytes(*pair)) >= least;
        let mask: Vec<f32> = pairs.iter().map(|pair| if is_kept(pair) { kept } else { 0.0 }).collect();
        Tensor::from_slice(&mask).view(size)
    }
}

/// y = W x + b, or y = W x.
#[derive(Debug)]
pub(crate) struct Linear {
    weight: Slot,
    bias: Option<Slot>,
}

impl Linear {
    pub(crate) fn new(layout: &mut Layout, path: &str, inputs: i64, outputs: i64) -> Self {
        let linear = Self::without_bias(layout, path, inputs, outputs);
        let bias = layout.add(format!("{path}.bias"), &[outputs], Init::Constant(0.0));
        Self { bias: Some(bias), ..linear }
    }

    /// y = W x.
    pub(crate) fn without_bias(layout: &mut Layout, path: &str, inputs: i64, outputs: i64) -> Self {
        // Xavier: keeps the variance of values and gradients through the layer (Glorot and Bengio 2010).
        let deviation = (2.0 / (inputs + outputs) as f64).sqrt();
        let weight = layout.add_decayed(format!("{path}.weight"), &[outputs, inputs], Init::Normal(deviation));
        Self { weight, bias: None }
    }

    /// A layer that at first gives `bias` for every input.
    pub(crate) fn starting_at(layout: &mut Layout, path: &str, inputs: i64, bias: Vec<f32>) -> Self {
        let outputs = bias.len() as i64;
        Self {
            weight: layout.add_decayed(format!("{path}.weight"), &[outputs, inputs], Init::Constant(0.0)),
            bias: Some(layout.add(format!("{path}.bias"), &[outputs], Init::Values(bias))),
        }
    }

    pub(crate) fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        x.linear(weights.get(self.weight), self.bias.map(|bias| weights.get(bias)))
    }

    /// Some layers of one input, side by side: one large multiplication is faster than a few small ones.
    fn forward_together(layers: &[&Self], weights: &Weights, x: &Tensor) -> Tensor {
        let side_by_side =
            |slots: Vec<Slot>| Tensor::cat(&slots.into_iter().map(|slot| weights.get(slot)).collect::<Vec<_>>(), 0);
        let biases: Vec<Slot> = layers.iter().filter_map(|layer| layer.bias).collect();
        let bias = (biases.len() == layers.len()).then(|| side_by_side(biases));
        x.linear(&side_by_side(layers.iter().map(|layer| layer.weight).collect()), bias)
    }

    /// The same in full precision.
    pub(crate) fn forward_exact(&self, weights: &Weights, x: &Tensor) -> Tensor {
        x.linear(weights.exact(self.weight), self.bias.map(|bias| weights.exact(bias)))
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

/// Rotary position embedding (Su et al. 2021, "RoFormer"): pairs of a query's and a key's numbers are turned by angles in
/// proportion to their position, so that attention sees how far apart two tokens are, and nothing else of where they are.
pub(crate) struct Rotation {
    /// `[W, D / 2]`, complex: a turn per token and pair; the heads' turns are the same, side by side.
    turns: Tensor,
}

impl Rotation {
    /// The slowest of many pairs turns once in some 60,000 tokens, of few somewhat sooner.
    const BASE: f64 = 10_000.0;

    pub(crate) fn new(tokens: i64, width: i64, heads: i64, device: Device) -> Self {
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

/// A pre-norm Transformer block: attention to what came before, then a feed-forward layer, each added to its input.
#[derive(Debug)]
pub(crate) struct Block {
    heads: i64,
    norm_attention: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    norm_feed_forward: LayerNorm,
    up: Linear,
    down: Linear,
}

/// Which token of each example is read, where only one is.
pub(crate) struct Read<'a> {
    /// Its row in the flattened tokens, `[B]`.
    pub(crate) rows: &'a Tensor,
    /// Its position in its example, `[B]`.
    pub(crate) positions: &'a Tensor,
    /// Which tokens it sees, `[B, 1, 1, W]`, boolean.
    pub(crate) mask: &'a Tensor,
}

impl Block {
    pub(crate) fn new(layout: &mut Layout, path: &str, width: i64, heads: i64, feed_forward: i64) -> Self {
        let mut linear = |name: &str, inputs, outputs| Linear::new(layout, &format!("{path}.{name}"), inputs, outputs);
        let query = linear("query", width, width);
        let key = linear("key", width, width);
        let value = linear("value", width, width);
        let output = linear("output", width, width);
        let up = linear("up", width, feed_forward * width);
        let down = linear("down", feed_forward * width, width);
        let norm_attention = LayerNorm::new(layout, &format!("{path}.norm_attention"), width);
        let norm_feed_forward = LayerNorm::new(layout, &format!("{path}.norm_feed_forward"), width);
        Self { heads, norm_attention, query, key, value, output, norm_feed_forward, up, down }
    }

    /// All tokens, `[B, W, D]` → `[B, W, D]`: each attends to itself and those before it.
    pub(crate) fn forward(&self, weights: &Weights, x: &Tensor, rotation: &Rotation, dropout: Dropout) -> Tensor {
        let [_, _, width] = dimensions(x);
        let normed = self.norm_attention.forward(weights, x);
        let all = Linear::forward_together(&[&self.query, &self.key, &self.value], weights, &normed);
        let turned = rotation.turn(&all.narrow(2, 0, 2 * width));
        let (query, key) = (turned.narrow(2, 0, width), turned.narrow(2, width, width));
        let attended = self.attend(&query, &key, &all.narrow(2, 2 * width, width), None);
        self.finish(weights, x, &attended, dropout)
    }

    /// One token per example, `[B, W, D]` → `[B, 1, D]`: the same as [`Block::forward`] there, without the work at
    /// all other tokens. The last block of a head that reads one token needs no more.
    pub(crate) fn forward_read(
        &self,
        weights: &Weights,
        x: &Tensor,
        rotation: &Rotation,
        read: &Read,
        dropout: Dropout,
    ) -> Tensor {
        let [batch, _, width] = dimensions(x);
        let normed = self.norm_attention.forward(weights, x);
        let pick = |x: &Tensor| x.reshape([-1, width]).index_select(0, read.rows).view([batch, 1, width]);
        let query = rotation.at(read.positions).turn(&self.query.forward(weights, &pick(&normed)));
        let both = Linear::forward_together(&[&self.key, &self.value], weights, &normed);
        let key = rotation.turn(&both.narrow(2, 0, width));
        let attended = self.attend(&query, &key, &both.narrow(2, width, width), Some(read.mask));
        self.finish(weights, &pick(x), &attended, dropout)
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
        let normed = self.norm_feed_forward.forward(weights, &x);
        let inner = self.up.forward(weights, &normed).gelu("none");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    #[test]
    fn as_much_is_dropped_as_is_made_up_for() {
        let x = Tensor::ones([1000, 300], (Kind::Float, Device::Cpu));
        let drop = |seed| device::seeded(1, seed, || Dropout(0.2).apply(&x));
        let dropped = drop(1);
        let share = dropped.eq(0.0).to_kind(Kind::Float);
        let deviation = (0.2f64 * 0.8 / 300_000.0).sqrt();
        assert!((share.mean(Kind::Double).double_value(&[]) - 0.2).abs() < 4.0 * deviation);
        assert!((dropped.max().double_value(&[]) - 1.25).abs() < 1e-4);
        // No row nor column is dropped more often than chance would have it.
        for (dimension, of) in [(0, 1000.0), (1, 300.0f64)] {
            let shares = share.mean_dim(dimension, false, Kind::Float) - 0.2;
            assert!(shares.abs().max().double_value(&[]) < 5.0 * (0.2 * 0.8 / of).sqrt());
        }
        assert!(dropped.equal(&drop(1)) && !dropped.equal(&drop(2)));
        assert!(Dropout::NONE.apply(&x).equal(&x));
    }

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
