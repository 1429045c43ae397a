//! The whole network: the embedding table, the encoder and the head's output, built from a [`Config`].
//!
//! Its parameters by name, as a run's `weights.safetensors` has them, D being `model.width`; a weight `[outputs, inputs]` is
//! applied as x Wᵀ, and `.weight` stands for `.weight` and `.bias` where a layer has both:
//!
//! | name | shape | |
//! |---|---|---|
//! | `table` | rows, D | row 0 is nothing; then per field (kind, product, category, channel) one row for unknown texts and one per text of the vocabulary, none for a field without texts or a single kind; for next_purchase the same once more for the last order's product; last the extra token's |
//! | `features.weight` | D, 8, 7 or 6 | of an event's standardised numbers, the last left out by next_purchase, the last two by next_item; no bias |
//! | `context.weight` | D, 21 | of the standardised aggregates; no bias |
//! | `customer.weight` | D, encoded | of the encoded features, where the model has some; no bias |
//! | `block_i.norm_attention.weight`, `block_i.norm_feed_forward.weight` | D | layer norms, epsilon 1e-5; not of an HSTU, `norm_recurrent` in place of the first in a GRU |
//! | `block_i.query.weight`, `.key`, `.value`, `.output` | D, D | only `output` in a GRU; an HSTU has biases for `output` alone |
//! | `block_i.up.weight`, `block_i.down.weight` | F D, D and D, F D | F is `model.feed_forward`; not of an HSTU |
//! | `block_i.gate.weight`, `.norm.weight`, `.norm_attended.weight`, `.positions`, `.spans` | D, D; D; D; length + 1, heads; 128, heads | of an HSTU |
//! | `block_i.input.weight`, `block_i.state.weight` | 3 D, D | of a GRU: reset gate, update gate, new state |
//! | `norm.weight` | D | the last layer norm |
//! | `memory.weight` | 3, D + 2 | of next_purchase: see `memory.rs` and `sequences::Followers`, whose counts are `followers.json` |
//! | `readout.hidden.weight` | D, D | |
//! | `readout.output.weight`, `readout.direct.weight` | outputs, D and outputs, 21 | 1 output for churn, or one per period, 3 for clv, 9 for next_purchase; no readout for next_item |
//! | `readout.customer_hidden.weight`, `readout.customer.weight` | D, encoded and outputs, encoded | where the model has features; only the second has a bias |
//!
//! A token of an event is √D times the sum of its rows, plus `features`. One token more is √D times the last row: for
//! next_item it comes first and the last event's token is read; for all others it comes last, is read, and `context` and
//! `customer` (and the last order's product, of next_purchase) are added to it. Each block of a Transformer adds causal attention
//! (rotary, pairs of neighbouring numbers) and `down`(GELU(`up`)) of layer norms of its input; that of a GRU has PyTorch's `GRU` and
//! `output` for attention; that of an HSTU adds `output`(SiLU(`gate`) · `norm_attended`(Σ SiLU(query · key + `positions` + `spans`)
//! value / tokens seen)), where query, key and value are SiLU of the layers; `norm` of the read token is its state s. Products score s · row, which next_purchase mixes with its memory; the
//! outputs are `output`(GELU(`hidden`(s) + `customer_hidden`)) + `direct` + `customer` + what the example brings as offsets less
//! their means, read as the files of `heads` say.

use sequences::{Recall, Vocabulary};
use tch::{Device, Kind, Tensor};

use crate::encoder::Encoder;
use crate::heads::next::ProductLoss;
use crate::heads::{Readout, amount, binary, count, hazard, next};
use crate::inputs::{Extra, Inputs, Table, feature_count};
use crate::layers::Dropout;
use crate::losses::{Loss, MIN_DAYS};
use crate::memory::{Memory, Recalled, has_memory};
use crate::parameters::{Layout, Weights};
use crate::scaling::{Scaling, VALUE_OFFSET};
use crate::{Config, Head, TargetKind, device};

/// A network without its parameters.
pub(crate) struct Network {
    pub(crate) head: Head,
    /// The horizon, where the head tells how long a customer buys nothing in it, and not only whether.
    survival_days: Option<f64>,
    pub(crate) table: Table,
    pub(crate) encoder: Encoder,
    /// `None` where no order is the last one.
    memory: Option<Memory>,
    /// `None` where only products are ranked.
    readout: Option<Readout>,
    product_loss: ProductLoss,
}

/// What the examples of a batch came to.
pub(crate) struct Targets {
    /// One number per example, `[B]`: 0 or 1 for a label, the value, the days.
    outcome: Tensor,
    /// 0 where the days are only a lower bound, `[B]`.
    is_observed: Tensor,
    products: Option<ProductTargets>,
}

struct ProductTargets {
    /// Tokens whose next product is known, `[N]`.
    tokens: Tensor,
    /// That product's place among the known ones, `[N]`.
    products: Tensor,
    recalled: Option<Recalled>,
}

/// One example's outcome in plain numbers.
pub(crate) struct Outcome {
    pub(crate) value: f32,
    pub(crate) is_observed: bool,
}

impl Targets {
    /// `products` holds pairs of a token (or, where only the read tokens count, of an example) and a product's place;
    /// `recalled` has a row of each.
    pub(crate) fn new(
        outcomes: &[Outcome],
        products: Option<&[(i64, i64)]>,
        recalled: Option<Recalled>,
        device: Device,
    ) -> Self {
        let column = |f: fn(&Outcome) -> f32| device::send(&outcomes.iter().map(f).collect::<Vec<_>>(), device);
        let side = |f: fn(&(i64, i64)) -> i64, pairs: &[(i64, i64)]| {
            device::send(&pairs.iter().map(f).collect::<Vec<_>>(), device)
        };
        Self {
            outcome: column(|outcome| outcome.value),
            is_observed: column(|outcome| f32::from(u8::from(outcome.is_observed))),
            products: products.map(|pairs| ProductTargets {
                tokens: side(|pair| pair.0, pairs),
                products: side(|pair| pair.1, pairs),
                recalled,
            }),
        }
    }
}

impl Network {
    /// The network and the layout of its parameters.
    pub(crate) fn new(config: &Config, vocabulary: &Vocabulary, scaling: &Scaling) -> (Self, Layout) {
        let head = config.head;
        let width = config.model.width as i64;
        let mut layout = Layout::default();
        let table = Table::new(vocabulary, head);
        let customer = scaling.customer_width();
        let encoder = Encoder::new(&mut layout, &config.model, &table, feature_count(head), customer);
        let start = match head {
            Head::NextItem => None,
            Head::NextPurchase => Some(next::start(scaling)),
            Head::Churn if config.periods() > 1 => Some(hazard::start(scaling, config.periods())),
            Head::Churn | Head::Binary => Some(binary::start(scaling)),
            Head::Clv | Head::Amount => Some(amount::start(scaling)),
            Head::Count => Some(count::start(scaling)),
        };
        let readout =
            start.map(|start| Readout::new(&mut layout, "readout", width, customer, from_offsets(start, scaling)));
        let memory = has_memory(head, vocabulary).then(|| Memory::new(&mut layout, width));
        let product_loss = ProductLoss::new(&config.training);
        let survival_days = (config.periods() > 1).then_some(f64::from(scaling.horizon_days));
        (Self { head, survival_days, table, encoder, memory, readout, product_loss }, layout)
    }

    /// Where the token stands that is no event.
    pub(crate) fn extra(&self) -> Extra {
        Extra::of(self.head)
    }

    /// The loss's terms, which add up. For heads that rank products, the targets' tokens are those of all `[B * W]`.
    /// `share` is the weight of what is one loss an example: how many there are to the mean batch.
    pub(crate) fn loss(
        &self,
        weights: &Weights,
        inputs: &Inputs,
        targets: &Targets,
        share: f64,
        dropout: Dropout,
    ) -> Vec<Loss> {
        if !self.head.ranks_products() {
            let state = self.encoder.forward_read(weights, inputs, dropout);
            return self.loss_of_states(weights, inputs, targets, share, &state, &state);
        }
        let states = self.encoder.forward(weights, inputs, dropout);
        let states = states.view([inputs.size.0 * inputs.size.1, -1]);
        let read = states.index_select(0, &inputs.read_rows);
        self.loss_of_states(weights, inputs, targets, share, &read, &states)
    }

    /// The loss's terms at the tokens read alone; the targets' tokens are examples.
    pub(crate) fn loss_read(&self, weights: &Weights, inputs: &Inputs, targets: &Targets) -> Vec<Loss> {
        let state = self.read(weights, inputs);
        self.loss_of_states(weights, inputs, targets, 1.0, &state, &state)
    }

    /// The state of each example's token to read, `[B, D]`, for scoring.
    pub(crate) fn read(&self, weights: &Weights, inputs: &Inputs) -> Tensor {
        self.encoder.forward_read(weights, inputs, Dropout::NONE)
    }

    /// The head's raw output, `[B, outputs]`; `None` where only products are ranked.
    pub(crate) fn output(&self, weights: &Weights, inputs: &Inputs, state: &Tensor) -> Option<Tensor> {
        self.readout.as_ref().map(|readout| readout.forward(weights, state, inputs))
    }

    /// Of raw outputs the log-odds that it happens, `[B]`; of churn: that nothing is bought in the horizon.
    pub(crate) fn log_odds(&self, raw: &Tensor) -> Tensor {
        if self.survival_days.is_some() { hazard::log_odds(raw) } else { binary::log_odds(raw) }
    }

    /// Whether it tells how long a customer buys nothing, and not only whether.
    pub(crate) fn tells_when(&self) -> bool {
        self.survival_days.is_some()
    }

    /// Of raw outputs the probability that nothing is bought within so many days, of the horizon's at most, `[B]`; `None` where
    /// the head only tells whether.
    pub(crate) fn survival(&self, raw: &Tensor, days: f64) -> Option<Tensor> {
        Some(hazard::survival(raw, days / self.survival_days?))
    }

    /// The known products' embeddings, `[P, D]`.
    pub(crate) fn products(&self, weights: &Weights) -> Tensor {
        self.encoder.products(weights)
    }

    /// Probabilities of all known products, `[N, D]` → `[N, P]`, mixed with what is recalled of each example.
    pub(crate) fn product_probabilities(&self, weights: &Weights, states: &Tensor, recalls: &[Recall]) -> Tensor {
        let own = states.matmul(&self.products(weights).tr()).softmax(1, Kind::Float);
        match &self.memory {
            Some(memory) => memory.mix(weights, states, &own, recalls),
            None => own,
        }
    }

    fn loss_of_states(
        &self,
        weights: &Weights,
        inputs: &Inputs,
        targets: &Targets,
        share: f64,
        read: &Tensor,
        states: &Tensor,
    ) -> Vec<Loss> {
        let mut terms = Vec::new();
        if let Some(ProductTargets { tokens, products, recalled }) = &targets.products {
            let states = states.index_select(0, tokens);
            let memory = self.memory.as_ref().zip(recalled.as_ref());
            let beside = memory.map(|(memory, recalled)| memory.beside(weights, &states, recalled));
            let known = self.products(weights);
            terms.push(self.product_loss.of(&states, &known, products, beside.as_ref()));
        }
        if let Some(raw) = self.output(weights, inputs, read) {
            let term = match self.head.target_kind() {
                TargetKind::Label => match self.survival_days {
                    Some(horizon) => hazard::loss(&raw, &targets.outcome, &targets.is_observed, horizon),
                    None => binary::loss(&raw, &targets.outcome),
                },
                TargetKind::Amount => amount::loss(&raw, &targets.outcome),
                TargetKind::Count => count::loss(&raw, &targets.outcome),
                TargetKind::Next => {
                    let days = targets.outcome.clamp_min(f64::from(MIN_DAYS));
                    next::time_loss(&raw, &days, &targets.is_observed)
                }
            };
            terms.push(term.weighted(share));
        }
        terms
    }
}

/// Where outputs with an offset start: the log-odds and logarithms at the offset itself, values where they are from theirs on
/// average in training.
fn from_offsets(mut start: Vec<f32>, scaling: &Scaling) -> Vec<f32> {
    for (place, (start, offset)) in start.iter_mut().zip(&scaling.offsets).enumerate() {
        let away = if place == VALUE_OFFSET { *start } else { 0.0 };
        *start = offset.mean + away;
    }
    start
}

#[cfg(test)]
mod tests {
    use sequences::{Batch, Encoding, Example, Followers, Sequences};

    use super::*;
    use crate::{ArchitectureChoice, RawConfig, RawModel};

    const ARCHITECTURES: [ArchitectureChoice; 3] =
        [ArchitectureChoice::Transformer, ArchitectureChoice::Hstu, ArchitectureChoice::Gru];

    struct Fixture {
        sequences: Sequences,
        encoding: Encoding,
        scaling: Scaling,
        network: Network,
        layout: Layout,
    }

    fn fixture(head: Head, architecture: ArchitectureChoice) -> Fixture {
        let lines: String = (0..40).map(|i| format!("{} item{}\n", i % 3, (i * 7) % 11)).collect();
        let sequences = Sequences::from_interactions(&lines, "lines").unwrap();
        let vocabulary = Vocabulary::fit(&sequences, i64::MAX, 1);
        let encoding = vocabulary.encode(&sequences);
        let scaling = Scaling::sample(Vec::new());
        let model = RawModel { architecture, ..RawModel::default() };
        let raw = RawConfig { head, model, training: Default::default() };
        let config = Config::try_from(raw).unwrap();
        let (network, layout) = Network::new(&config, &vocabulary, &scaling);
        Fixture { sequences, encoding, scaling, network, layout }
    }

    impl Fixture {
        fn weights(&self) -> Weights {
            // Louder than at the start, so that a difference cannot hide in a rounding.
            device::seeded(1, 3, || self.layout.split(&(self.layout.start() * 3.0), Kind::Float))
        }

        /// States of all tokens, of the tokens read, and the inputs, for users cut after some events each.
        fn states(&self, weights: &Weights, cuts: &[(usize, i64)]) -> (Tensor, Tensor, Inputs) {
            let examples: Vec<Example> = cuts.iter().map(|&(c, t)| Example::at(&self.sequences, c, t, 64)).collect();
            let batch = Batch::gather(&self.sequences, &self.encoding, &examples);
            let inputs = Inputs::new(&batch, &self.network.table, &self.scaling, self.network.head, Device::Cpu);
            let all = self.network.encoder.forward(weights, &inputs, Dropout::NONE);
            let read = self.network.read(weights, &inputs);
            (all, read, inputs)
        }
    }

    fn difference(a: &Tensor, b: &Tensor) -> f64 {
        (a - b).abs().max().double_value(&[])
    }

    #[test]
    fn reading_one_token_is_the_same_with_less_work() {
        let pairs = ARCHITECTURES.into_iter().flat_map(|choice| [(Head::Churn, choice), (Head::NextItem, choice)]);
        for (head, choice) in pairs {
            let fixture = fixture(head, choice);
            let (all, read, inputs) = fixture.states(&fixture.weights(), &[(0, 9), (1, 2), (2, 0), (0, 100)]);
            let width = all.size()[2];
            let expected = all.view([-1, width]).index_select(0, &inputs.read_rows);
            assert!(difference(&read, &expected) < 1e-5, "{}", difference(&read, &expected));
            // The states of different customers do differ.
            let apart = difference(&read.get(0), &read.get(1));
            assert!(apart > 0.1, "{choice:?}: {apart}");
        }
    }

    #[test]
    fn neighbours_in_the_batch_change_nothing() {
        for choice in ARCHITECTURES {
            let fixture = fixture(Head::Clv, choice);
            let weights = fixture.weights();
            let (_, together, _) = fixture.states(&weights, &[(0, 3), (1, 100), (2, 0)]);
            for (row, cut) in [(0, 3), (1, 100), (2, 0)].into_iter().enumerate() {
                let (_, alone, _) = fixture.states(&weights, &[cut]);
                let apart = difference(&together.get(row as i64), &alone.get(0));
                assert!(apart < 1e-5, "{choice:?}: {apart}");
            }
        }
    }

    /// Training and scoring mean the same probability.
    #[test]
    fn the_loss_is_that_of_the_probabilities_told() {
        let Fixture { sequences, encoding, network, scaling, layout } =
            fixture(Head::NextPurchase, ArchitectureChoice::Transformer);
        let weights = device::seeded(1, 3, || layout.split(&(layout.start() * 3.0), Kind::Float));
        let followers = Followers::count(&sequences, &encoding, network.table.products.1 as usize, 9);
        let examples: Vec<Example> = (0..3).map(|customer| Example::at(&sequences, customer, 7, 64)).collect();
        let inputs = Inputs::new(
            &Batch::gather(&sequences, &encoding, &examples),
            &network.table,
            &scaling,
            network.head,
            Device::Cpu,
        );
        let asked: Vec<(&Example, Vec<(usize, i64)>)> = examples.iter().map(|e| (e, vec![(usize::MAX, 4)])).collect();
        let recalled = Recalled::new(&followers, &sequences, &encoding, &asked, Device::Cpu);
        let outcomes: Vec<Outcome> = (0..3).map(|_| Outcome { value: 1.0, is_observed: true }).collect();
        let targets = Targets::new(&outcomes, Some(&[(0, 4), (1, 4), (2, 4)]), Some(recalled), Device::Cpu);
        let loss = network.loss_read(&weights, &inputs, &targets)[0].value.double_value(&[]);

        let recalls: Vec<Recall> =
            examples.iter().map(|example| followers.recall(&sequences, &encoding, example)).collect();
        let told = network.product_probabilities(&weights, &network.read(&weights, &inputs), &recalls);
        let expected = -told.select(1, 4).log().mean(Kind::Float).double_value(&[]);
        assert!((loss - expected).abs() < 1e-5, "{loss} is not {expected}");
        let sums = Vec::<f32>::try_from(told.sum_dim_intlist(1, false, Kind::Float)).unwrap();
        assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{sums:?}");
        // The histories do say something.
        assert!(recalls.iter().any(|recall| recall.shares(usize::MAX, 4) != [0.0, 0.0]));
    }

    #[test]
    fn a_token_sees_nothing_after_it() {
        let (mut a, mut b) = (String::new(), String::new());
        for i in 0..6 {
            a += &format!("u item{}\n", i % 3);
            b += &format!("u item{}\n", if i < 4 { i % 3 } else { 7 + i % 3 });
        }
        let states = |lines: &str, choice| {
            let fixture = self::fixture(Head::NextItem, choice);
            let sequences = Sequences::from_interactions(lines, "lines").unwrap();
            let lines: String = (0..40).map(|i| format!("{} item{}\n", i % 3, (i * 7) % 11)).collect();
            let known = Vocabulary::fit(&Sequences::from_interactions(&lines, "lines").unwrap(), i64::MAX, 1);
            let encoding = known.encode(&sequences);
            let weights = fixture.weights();
            Fixture { sequences, encoding, ..fixture }.states(&weights, &[(0, 100)]).0
        };
        for choice in ARCHITECTURES {
            let (a, b) = (states(&a, choice), states(&b, choice));
            // A start and four equal events.
            assert!(difference(&a.narrow(1, 0, 5), &b.narrow(1, 0, 5)) < 1e-6, "{choice:?}");
            let after = difference(&a.narrow(1, 5, 2), &b.narrow(1, 5, 2));
            assert!(after > 0.01, "{choice:?}: {after}");
        }
    }
}
