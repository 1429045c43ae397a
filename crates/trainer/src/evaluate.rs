//! Scoring examples with a network's weights: what validation and [`crate::Model`] share.
//!
//! Examples are scored in batches of similar length and given back in their own order; what an example gets does not
//! depend on its neighbours beyond the last bits of a float.

use std::collections::{BTreeMap, HashSet};

use analytics::metrics::{self, NOT_RANKED};
use sequences::{
    Batch, Batcher, Encoding, Example, FIRST_KNOWN, Field, Followers, LabelledExample, Recall, Sequences, Target,
};
use tch::{Device, Kind, Tensor};

use crate::ahead::ahead;
use crate::heads::{amount, count, next};
use crate::inputs::{Extra, Inputs};
use crate::mean_loss::MeanLoss;
use crate::memory::Recalled;
use crate::network::{Network, Outcome, Targets};
use crate::parameters::Weights;
use crate::predict::{NextPurchase, TimeToNext, Value};
use crate::run::NEXT_ITEM_MONITOR;
use crate::scaling::Scaling;
use crate::softmax::chunks;
use crate::{Head, TargetKind, device};

/// How long a list of products the ranking metrics look at.
const LIST_LENGTH: u32 = 10;

/// A network with weights, looking at some sequences.
pub(crate) struct Scorer<'a> {
    pub(crate) network: &'a Network,
    pub(crate) weights: &'a Weights,
    pub(crate) scaling: &'a Scaling,
    pub(crate) sequences: &'a Sequences,
    pub(crate) encoding: &'a Encoding,
    /// Of a network with a memory.
    pub(crate) followers: Option<&'a Followers>,
    pub(crate) batch_size: usize,
    pub(crate) device: Device,
}

impl<'a> Scorer<'a> {
    /// Probability that it happens.
    pub(crate) fn probabilities(&self, examples: &[&Example]) -> Vec<f64> {
        let of = |raw: &Tensor| vec![self.network.log_odds(raw).sigmoid()];
        self.outputs(examples, of).into_iter().map(|row| row[0]).collect()
    }

    /// Per example the probabilities that nothing is bought within so many days each, of the horizon's at most; `None` where
    /// the head only tells whether.
    pub(crate) fn absences(&self, examples: &[&Example], days: &[f64]) -> Option<Vec<Vec<f64>>> {
        let at = |raw: &Tensor| days.iter().filter_map(|&days| self.network.survival(raw, days)).collect();
        self.network.tells_when().then(|| self.outputs(examples, at))
    }

    /// Expected amount or count in the horizon.
    pub(crate) fn values(&self, examples: &[&Example]) -> Vec<Value> {
        let forecast = match self.network.head.target_kind() {
            TargetKind::Count => count::forecast,
            _ => amount::forecast,
        };
        let rows = self.outputs(examples, |raw| forecast(raw, self.scaling).into());
        rows.into_iter().map(|row| Value { expected: row[0], p_zero: row[1] }).collect()
    }

    /// The `top` most probable products, best first, and the time of the next purchase.
    pub(crate) fn next_purchases(&self, examples: &[&Example], top: usize) -> Vec<NextPurchase> {
        let mut found: Vec<NextPurchase> = vec![NextPurchase::default(); examples.len()];
        let top = (top as i64).min(self.network.table.products.1);
        self.for_each_batch(examples, |numbers, inputs, state| {
            for (first, count) in chunks(state.size()[0], self.network.table.products.1, self.device) {
                let numbers = &numbers[first as usize..(first + count) as usize];
                let all = self.product_probabilities(&state.narrow(0, first, count), numbers, examples);
                let (probabilities, products) = all.topk(top, 1, true, true);
                let (probabilities, products) = (rows_of::<f64>(&probabilities), rows_of::<i64>(&products));
                for ((number, product), probability) in numbers.iter().zip(products).zip(probabilities) {
                    let pairs = product.into_iter().map(|place| place as usize).zip(probability);
                    found[*number].products = pairs.collect();
                }
            }
            if let Some(raw) = self.network.output(self.weights, inputs, state) {
                let columns = next::time_forecast(&raw, self.scaling);
                for (number, row) in numbers.iter().zip(rows_of::<f64>(&Tensor::stack(&columns, 1))) {
                    let (median_days, p10_days, p90_days, p_within_horizon) = (row[0], row[1], row[2], row[3]);
                    found[*number].time = Some(TimeToNext { median_days, p10_days, p90_days, p_within_horizon });
                }
            }
        });
        found
    }

    /// The rank of each example's right product (a code) among all known ones, 1 the best: one more than there are
    /// *other* products that do not score below it, so a tie counts against it. With `remove_seen`, products that any
    /// visible event of the customer holds do not compete. A product the model does not know is not ranked.
    pub(crate) fn ranks(&self, examples: &[&Example], products: &[u32], remove_seen: bool) -> Vec<u32> {
        let mut ranks = vec![NOT_RANKED; examples.len()];
        self.for_each_batch(examples, |numbers, _, state| {
            for (first, count) in chunks(state.size()[0], self.network.table.products.1, self.device) {
                let numbers = &numbers[first as usize..(first + count) as usize];
                let right: Vec<Option<i64>> = numbers.iter().map(|&n| self.place(products[n])).collect();
                let mut scores = self.product_probabilities(&state.narrow(0, first, count), numbers, examples);
                let gathered: Vec<i64> = right.iter().map(|place| place.unwrap_or(0)).collect();
                let gathered = device::send(&gathered, self.device).unsqueeze(1);
                if scores.size()[1] == 0 {
                    return;
                }
                let own = scores.gather(1, &gathered, false);
                if remove_seen {
                    self.remove_seen(&mut scores, numbers, examples);
                }
                let _ = scores.scatter_(1, &gathered, &own.full_like(f64::NEG_INFINITY));
                // Counted from below, so that a score that is no number is nobody's good rank.
                let below = scores.lt_tensor(&own).sum_dim_intlist(1, false, Kind::Int64);
                let below = Vec::<i64>::try_from(below).unwrap_or_default();
                for ((number, right), below) in numbers.iter().zip(right).zip(below) {
                    if right.is_some() {
                        ranks[*number] = (scores.size()[1] - below + 1) as u32;
                    }
                }
            }
        });
        ranks
    }

    /// Loss and metrics of labelled examples.
    pub(crate) fn evaluate(&self, labelled: &[LabelledExample]) -> (f64, BTreeMap<String, f64>) {
        let examples: Vec<&Example> = labelled.iter().map(|labelled| &labelled.example).collect();
        let metrics = match self.network.head.target_kind() {
            TargetKind::Label => {
                let happened: Vec<bool> = labelled.iter().map(|l| l.target.has_happened() == Some(true)).collect();
                let scores = self.probabilities(&examples);
                vec![
                    ("auc", metrics::auc(&happened, &scores)),
                    ("average_precision", metrics::average_precision(&happened, &scores)),
                ]
            }
            TargetKind::Amount | TargetKind::Count => {
                let actual: Vec<f64> = labelled.iter().map(|l| f64::from(outcome(l, 0.0).value).max(0.0)).collect();
                let expected: Vec<f64> = self.values(&examples).iter().map(|value| value.expected).collect();
                vec![
                    ("normalised_gini", metrics::normalised_gini(&actual, &expected)),
                    ("spearman", metrics::spearman(&actual, &expected)),
                    ("mae", metrics::mae(&actual, &expected)),
                ]
            }
            TargetKind::Next => {
                let ranked = |l: &&LabelledExample| matches!(l.target, Target::NextPurchase { product: Some(_), .. });
                let ranked: Vec<&LabelledExample> = labelled.iter().filter(ranked).collect();
                let examples: Vec<&Example> = ranked.iter().map(|labelled| &labelled.example).collect();
                let products: Vec<u32> = ranked.iter().filter_map(|labelled| next_product(labelled)).collect();
                // The benchmarks' protocol; a shop's customers buy the same again.
                let remove_seen = self.network.head == Head::NextItem;
                let ranks = self.ranks(&examples, &products, remove_seen);
                vec![
                    ("hit_rate@10", metrics::hit_rate(&ranks, LIST_LENGTH)),
                    (NEXT_ITEM_MONITOR, metrics::ndcg(&ranks, LIST_LENGTH)),
                ]
            }
        };
        let defined = metrics.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.ok()?)));
        (self.loss(labelled), defined.collect())
    }

    /// Mean loss at the tokens read.
    fn loss(&self, labelled: &[LabelledExample]) -> f64 {
        let Self { network, weights, scaling, sequences, encoding, followers, batch_size, device } = self;
        let lengths: Vec<usize> = labelled.iter().map(|labelled| labelled.example.len()).collect();
        let prepare = |numbers: &Vec<usize>| {
            let chosen: Vec<&LabelledExample> = numbers.iter().map(|&number| &labelled[number]).collect();
            let batch = Batch::gather(sequences, encoding, chosen.iter().map(|labelled| &labelled.example));
            let place = |labelled: &LabelledExample| known_place(encoding.id(Field::Product, next_product(labelled)?));
            let products: Vec<(i64, i64)> = (0..).zip(&chosen).filter_map(|(i, l)| Some((i, place(l)?))).collect();
            let recalled = followers.map(|followers| {
                let asked = products.iter().map(|&(i, place)| (&chosen[i as usize].example, vec![(usize::MAX, place)]));
                Recalled::new(followers, sequences, encoding, &asked.collect::<Vec<_>>(), *device)
            });
            let products = network.head.ranks_products().then_some(products.as_slice());
            let outcomes: Vec<Outcome> = chosen.iter().map(|l| outcome(l, scaling.horizon_days)).collect();
            let inputs = Inputs::new(&batch, &network.table, scaling, network.head, *device);
            (inputs, Targets::new(&outcomes, products, recalled, *device))
        };
        let mut mean = MeanLoss::default();
        ahead(&Batcher::by_length(&lengths, *batch_size), *device, prepare, |batches| {
            for (inputs, targets) in batches {
                mean.add(&tch::no_grad(|| network.loss_read(weights, &inputs, &targets)));
            }
        });
        mean.mean()
    }

    /// The state of each example's token to read, D numbers each, one after the other.
    pub(crate) fn states(&self, examples: &[&Example]) -> Vec<f32> {
        let mut rows = vec![Vec::new(); examples.len()];
        self.for_each_batch(examples, |numbers, _, state| {
            for (number, row) in numbers.iter().zip(rows_of::<f32>(state)) {
                rows[*number] = row;
            }
        });
        rows.concat()
    }

    /// The known products' embeddings, D numbers each, one after the other.
    pub(crate) fn products(&self) -> Vec<f32> {
        rows_of::<f32>(&tch::no_grad(|| self.network.products(self.weights))).concat()
    }

    /// Columns made from the head's output, row by row in the order of the examples.
    fn outputs(&self, examples: &[&Example], columns: impl Fn(&Tensor) -> Vec<Tensor>) -> Vec<Vec<f64>> {
        let mut rows = vec![Vec::new(); examples.len()];
        self.for_each_batch(examples, |numbers, inputs, state| {
            if let Some(raw) = self.network.output(self.weights, inputs, state) {
                let values = rows_of::<f64>(&Tensor::stack(&columns(&raw), 1));
                for (number, row) in numbers.iter().zip(values) {
                    rows[*number] = row;
                }
            }
        });
        rows
    }

    /// Calls with the numbers of a batch's examples, their inputs and the states read.
    fn for_each_batch(&self, examples: &[&Example], mut call: impl FnMut(&[usize], &Inputs, &Tensor)) {
        self.for_each_inputs(examples, |numbers, inputs| {
            tch::no_grad(|| call(numbers, inputs, &self.network.read(self.weights, inputs)));
        });
    }

    /// Calls with the numbers of a batch's examples and their inputs.
    pub(crate) fn for_each_inputs(&self, examples: &[&Example], mut call: impl FnMut(&[usize], &Inputs)) {
        let Self { network, scaling, sequences, encoding, batch_size, device, .. } = self;
        let lengths: Vec<usize> = examples.iter().map(|example| example.len()).collect();
        let prepare = |numbers: &Vec<usize>| {
            let batch = Batch::gather(sequences, encoding, numbers.iter().map(|&number| examples[number]));
            Inputs::new(&batch, &network.table, scaling, network.head, *device)
        };
        let batches = Batcher::by_length(&lengths, *batch_size);
        ahead(&batches, *device, prepare, |inputs| {
            for (numbers, inputs) in batches.iter().zip(inputs) {
                call(numbers, &inputs);
            }
        });
    }

    /// Of all known products, `[B, P]`, of the examples with these numbers.
    fn product_probabilities(&self, states: &Tensor, numbers: &[usize], examples: &[&Example]) -> Tensor {
        let recall = |followers: &'a Followers, example| followers.recall(self.sequences, self.encoding, example);
        let recalls: Vec<Recall> = match self.followers {
            Some(followers) => numbers.iter().map(|&number| recall(followers, examples[number])).collect(),
            None => Vec::new(),
        };
        self.network.product_probabilities(self.weights, states, &recalls)
    }

    /// The place of a product's code among the known ones.
    fn place(&self, code: u32) -> Option<i64> {
        known_place(self.encoding.id(Field::Product, code))
    }

    fn remove_seen(&self, scores: &mut Tensor, numbers: &[usize], examples: &[&Example]) {
        let (mut rows, mut columns) = (Vec::new(), Vec::new());
        for (row, &number) in numbers.iter().enumerate() {
            let visible = self.sequences.visible(examples[number].customer(), examples[number].as_of());
            let seen: HashSet<i64> =
                visible.filter_map(|event| self.place(self.sequences.code(event, Field::Product))).collect();
            rows.extend(std::iter::repeat_n(row as i64, seen.len()));
            columns.extend(seen);
        }
        let index = [rows, columns].map(|side| Some(device::send(&side, self.device)));
        let lowest = Tensor::from(f32::NEG_INFINITY).to_device(self.device);
        let _ = scores.index_put_(&index, &lowest, false);
    }
}

/// What a training step learns from: the outcomes and, for heads that rank products, every token whose next product is
/// known.
pub(crate) fn training_targets(
    network: &Network,
    sequences: &Sequences,
    encoding: &Encoding,
    followers: Option<&Followers>,
    examples: &[&LabelledExample],
    inputs: &Inputs,
    scaling: &Scaling,
) -> Targets {
    let outcomes: Vec<Outcome> = examples.iter().map(|example| outcome(example, scaling.horizon_days)).collect();
    let device = inputs.bags.device();
    if !network.head.ranks_products() {
        return Targets::new(&outcomes, None, None, device);
    }
    let (mut products, mut asked) = (Vec::new(), Vec::new());
    for (i, labelled) in examples.iter().enumerate() {
        let mut next = labelled.example.next_products(sequences, encoding);
        if let (Some(last), Some(code)) = (next.last_mut(), next_product(labelled)) {
            *last = encoding.id(Field::Product, code);
        }
        let first = i as i64 * inputs.size.1;
        let length = labelled.example.len();
        let mut of_example = Vec::new();
        for token in 0..=length {
            // How many events the token has seen: a start token none yet, the token of asking all of them.
            let seen = match network.extra() {
                Extra::Start => token,
                Extra::Query => (token + 1).min(length),
            };
            if let Some(place) = known_place(next[seen]) {
                products.push((first + token as i64, place));
                of_example.push((seen, place));
            }
        }
        asked.push((&labelled.example, of_example));
    }
    let recalled = followers.map(|followers| Recalled::new(followers, sequences, encoding, &asked, device));
    Targets::new(&outcomes, Some(&products), recalled, device)
}

pub(crate) fn outcome(labelled: &LabelledExample, horizon_days: f32) -> Outcome {
    match labelled.target {
        Target::Label(has_happened) => Outcome { value: f32::from(u8::from(has_happened)), is_observed: true },
        Target::Value(value) => Outcome { value, is_observed: true },
        Target::Absence { days } | Target::NextPurchase { days, .. } => {
            Outcome { value: days.unwrap_or(horizon_days), is_observed: days.is_some() }
        }
    }
}

fn next_product(labelled: &LabelledExample) -> Option<u32> {
    match labelled.target {
        Target::NextPurchase { product, .. } => product,
        Target::Label(_) | Target::Absence { .. } | Target::Value(_) => None,
    }
}

fn known_place(id: u32) -> Option<i64> {
    id.checked_sub(FIRST_KNOWN).map(i64::from)
}

/// The rows of a matrix.
pub(crate) fn rows_of<T: tch::kind::Element>(matrix: &Tensor) -> Vec<Vec<T>>
where
    Vec<Vec<T>>: TryFrom<Tensor>,
{
    Vec::<Vec<T>>::try_from(matrix.to_kind(T::KIND).to_device(Device::Cpu)).unwrap_or_default()
}
