//! The layers that architectures are made of, each a few slots of the flat parameters and a function of them.

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

    /// W, `[outputs, inputs]`.
    pub(crate) fn weight<'a>(&self, weights: &'a Weights) -> &'a Tensor {
        weights.get(self.weight)
    }

    /// b, `[outputs]`.
    pub(crate) fn bias<'a>(&self, weights: &'a Weights) -> Option<&'a Tensor> {
        self.bias.map(|bias| weights.get(bias))
    }

    pub(crate) fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        x.linear(self.weight(weights), self.bias(weights))
    }

    /// Some layers of one input, side by side: one large multiplication is faster than a few small ones.
    pub(crate) fn forward_together(layers: &[&Self], weights: &Weights, x: &Tensor) -> Tensor {
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

/// A feed-forward layer on a layer norm of its input, to which it is added.
#[derive(Debug)]
pub(crate) struct FeedForward {
    pub(crate) norm: LayerNorm,
    pub(crate) up: Linear,
    pub(crate) down: Linear,
}

impl FeedForward {
    pub(crate) fn forward(&self, weights: &Weights, x: &Tensor, dropout: Dropout) -> Tensor {
        let inner = self.up.forward(weights, &self.norm.forward(weights, x)).gelu("none");
        x + dropout.apply(&self.down.forward(weights, &inner))
    }
}

/// `[B, W, D]` → `[B, heads, W, D / heads]`.
pub(crate) fn split_heads(x: &Tensor, heads: i64) -> Tensor {
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
}
