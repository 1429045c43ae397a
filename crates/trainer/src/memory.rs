//! The next product as histories tell it, mixed with the network's own answer.
//!
//! P(product) = w₀ softmax(state · products) + w₁ its share of what followed the last order's product in other customers'
//! histories + w₂ its share of the customer's own orders; what the shares leave of 1 is the network's, too. The weights are a
//! softmax of the state and of how much the shares stand on, so the network learns whom to believe when, and what a table knows it need not learn: a mixture as in
//! pointer-generators (See, Liu, Manning 2017), for what is bought again as in RepeatNet (Ren et al. 2019).

use sequences::{Encoding, Example, Field, Followers, Recall, Sequences, Shares, Vocabulary};
use tch::{Device, Kind, Tensor};

use crate::layers::Linear;
use crate::parameters::{Layout, Weights};
use crate::softmax::Beside;
use crate::{Head, device};

/// Whether a last order's product is known, and remembered what followed it.
pub(crate) fn has_memory(head: Head, vocabulary: &Vocabulary) -> bool {
    head == Head::NextPurchase && !vocabulary.texts(Field::Product).is_empty()
}

/// How the network weighs its own answer and the two shares.
#[derive(Debug)]
pub(crate) struct Memory {
    weigh: Linear,
}

/// What the histories say of some products, one row each.
pub(crate) struct Recalled {
    /// The product's shares, `[N, 2]`.
    shares: Tensor,
    basis: Basis,
}

/// What is known of the shares of all products, one row for each of some moments.
struct Basis {
    /// What they add up to, `[N, 2]`.
    sums: Tensor,
    /// `[N, 2]`
    evidence: Tensor,
}

impl Basis {
    fn new(moments: &[(&Recall, usize)], device: Device) -> Self {
        let rows = |of: &dyn Fn(&Recall, usize) -> [f32; 2]| {
            let rows: Vec<f32> = moments.iter().flat_map(|(recall, seen)| of(recall, *seen)).collect();
            device::send(&rows, device).view([-1, 2])
        };
        Self { sums: rows(&|recall, seen| recall.sums(seen)), evidence: rows(&|recall, seen| recall.evidence(seen)) }
    }
}

impl Memory {
    /// The network's share, and each of the others', before anything is learnt.
    const START: [f32; 3] = [0.6, 0.2, 0.2];
    const EVIDENCE: i64 = 2;

    pub(crate) fn new(layout: &mut Layout, width: i64) -> Self {
        let start = Self::START.map(f32::ln).to_vec();
        Self { weigh: Linear::starting_at(layout, "memory", width + Self::EVIDENCE, start) }
    }

    /// What is mixed with the network's answers at the states `[N, D]`, of which `recalled` has a row each.
    pub(crate) fn beside(&self, weights: &Weights, states: &Tensor, recalled: &Recalled) -> Beside {
        Beside { weights: self.weights(weights, states, &recalled.basis), shares: recalled.shares.shallow_clone() }
    }

    /// Mixes the network's probabilities `[B, P]` at the states `[B, D]` with what the histories of each example say.
    pub(crate) fn mix(&self, weights: &Weights, states: &Tensor, network: &Tensor, recalls: &[Recall]) -> Tensor {
        let device = network.device();
        let (mut rows, mut products, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for (row, recall) in (0i64..).zip(recalls) {
            for (product, both) in recall.known(usize::MAX) {
                rows.push(row);
                products.push(i64::from(product));
                shares.extend(both);
            }
        }
        let moments: Vec<(&Recall, usize)> = recalls.iter().map(|recall| (recall, usize::MAX)).collect();
        let by = self.weights(weights, states, &Basis::new(&moments, device));
        let mixed = network * by.narrow(1, 0, 1);
        let [rows, products] = [rows, products].map(|side| device::send(&side, device));
        let shares = device::send(&shares, device).view([-1, 2]);
        let told = (by.narrow(1, 1, 2).index_select(0, &rows) * shares).sum_dim_intlist(1, false, Kind::Float);
        mixed.index_put(&[Some(rows), Some(products)], &told, true)
    }

    /// Of the network and of both shares, `[N, 3]`: with them all products' probabilities add up to 1.
    fn weights(&self, weights: &Weights, states: &Tensor, basis: &Basis) -> Tensor {
        let inputs = Tensor::cat(&[&states.to_kind(Kind::Float), &basis.evidence], 1);
        let told = self.weigh.forward_exact(weights, &inputs).softmax(1, Kind::Float).narrow(1, 1, 2);
        let network: Tensor = 1.0 - (&told * &basis.sums).sum_dim_intlist(1, true, Kind::Float);
        Tensor::cat(&[network, told], 1)
    }
}

impl Recalled {
    /// Of each (example, events seen, product's place).
    pub(crate) fn new(
        followers: &Followers,
        sequences: &Sequences,
        encoding: &Encoding,
        targets: &[(&Example, Vec<(usize, i64)>)],
        device: Device,
    ) -> Self {
        let recalls: Vec<Recall> =
            targets.iter().map(|(example, _)| followers.recall(sequences, encoding, example)).collect();
        let asked =
            recalls.iter().zip(targets).flat_map(|(recall, (_, asked))| asked.iter().map(move |one| (recall, one)));
        let (mut shares, mut moments) = (Vec::<f32>::new(), Vec::new());
        for (recall, &(seen, product)) in asked {
            let both: Shares = recall.shares(seen, product as u32);
            shares.extend(both);
            moments.push((recall, seen));
        }
        Self { shares: device::send(&shares, device).view([-1, 2]), basis: Basis::new(&moments, device) }
    }
}
