//! Permutation importance (Breiman 2001, "Random forests"; Fisher, Rudin, Dominici 2019, "All models are wrong, but many are
//! useful"): how much worse a model does once an input is that of another customer.
//!
//! A group's inputs are shuffled jointly, every customer taking all of them from the same other one, so that what lies
//! within the group stays as likely as it was. An event's text or number comes from the other's event that is as old,
//! counted from the newest, his events once again where he has fewer; all inputs of events at once are the other's events
//! instead, however many. Every group sees the same shuffles, so that two of them are compared on the same luck.

use analytics::metrics;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sequences::{Batch, Batcher, CONTEXT_FEATURES, EVENT_FEATURES, Example, LabelledExample, Sequences};
use tch::{Kind, Tensor};

use super::{Input, not_explained};
use crate::ahead::ahead;
use crate::dataset::check_features;
use crate::evaluate::{Scorer, outcome, rows_of};
use crate::heads::{amount, count};
use crate::inputs::Inputs;
use crate::losses::{Loss, binary_cross_entropy};
use crate::{Error, Head, Model, Result, TargetKind, device};

/// How much worse a measure becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Importance {
    /// The mean over the shuffles; below 0 where the model did better by chance.
    pub mean: f64,
    /// Their standard deviation; 0 for one shuffle.
    pub deviation: f64,
}

/// What a model loses with each group of inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Importances {
    /// The head's main metric (`auc`, `spearman`) and its mean loss (`log_loss`, `loss`).
    pub metrics: [&'static str; 2],
    /// Their values with every input in its place.
    pub values: [f64; 2],
    /// Per group the importance by each of them.
    pub groups: Vec<[Importance; 2]>,
}

impl Model {
    /// The importance of groups of inputs on labelled examples, each group shuffled `repeats` times; `seed` decides how.
    /// `done` is told how many groups are done.
    ///
    /// # Errors
    /// A head of next purchases, an example without the model's features, examples on which a metric is undefined.
    pub fn importances(
        &self,
        sequences: &Sequences,
        examples: &[LabelledExample],
        groups: &[Vec<Input>],
        repeats: usize,
        seed: u64,
        done: &mut dyn FnMut(usize),
    ) -> Result<Importances> {
        check_features(&self.features(), self.offsets(), examples.iter().map(|labelled| &labelled.example))?;
        let outcomes = Outcomes::of(self.head(), examples)?;
        let shuffles: Vec<Vec<usize>> = (0..repeats).map(|repeat| shuffle(examples.len(), seed, repeat)).collect();
        self.with_scorer(sequences, |scorer| {
            let measure = |inputs: &[Input], from: &[usize]| {
                outcomes.measure(scorer, &tch::no_grad(|| raw(scorer, examples, inputs, from)))
            };
            let itself: Vec<usize> = (0..examples.len()).collect();
            let values = measure(&[], &itself)?;
            let mut found = Vec::with_capacity(groups.len());
            for inputs in groups {
                let mut losses = [Vec::new(), Vec::new()];
                if differs(examples, inputs) {
                    for from in &shuffles {
                        let [metric, loss] = measure(inputs, from)?;
                        losses[0].push(values[0] - metric);
                        losses[1].push(loss - values[1]);
                    }
                }
                found.push(losses.map(|losses| Importance::of(&losses)));
                done(found.len());
            }
            Ok(Importances { metrics: outcomes.metrics(), values, groups: found })
        })
    }
}

impl Importance {
    fn of(losses: &[f64]) -> Importance {
        let count = losses.len() as f64;
        let mean = losses.iter().sum::<f64>() / count.max(1.0);
        let squares: f64 = losses.iter().map(|loss| (loss - mean).powi(2)).sum();
        Importance { mean, deviation: (squares / (count - 1.0).max(1.0)).sqrt() }
    }
}

/// From which other example each one takes.
fn shuffle(examples: usize, seed: u64, repeat: usize) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(repeat as u64);
    let mut from: Vec<usize> = (0..examples).collect();
    from.shuffle(&mut random);
    from
}

/// Whether shuffling changes anything: what is the same for everybody needs no pass.
fn differs(examples: &[LabelledExample], inputs: &[Input]) -> bool {
    let value = |example: &Example, input| match input {
        Input::Aggregate(place) => Some(example.context()[place].to_bits()),
        Input::Feature(place) => Some(example.features()[place].to_bits()),
        Input::EventField(_) | Input::EventFeature(_) => None,
    };
    let Some(first) = examples.first().map(|labelled| &labelled.example) else { return false };
    inputs.iter().any(|&input| {
        let is_other = |other: &LabelledExample| value(&other.example, input) != value(first, input);
        input.is_of_events() || examples.iter().any(is_other)
    })
}

/// What happened, as the head's measures want it.
enum Outcomes {
    Happened(Vec<bool>),
    Amount(Vec<f64>),
    Count(Vec<f64>),
}

impl Outcomes {
    fn of(head: Head, examples: &[LabelledExample]) -> Result<Outcomes> {
        let values = || examples.iter().map(|l| f64::from(outcome(l, 0.0).value)).collect();
        let happened = || examples.iter().map(|l| l.target.has_happened() == Some(true)).collect();
        match head.target_kind() {
            TargetKind::Label => Ok(Outcomes::Happened(happened())),
            TargetKind::Amount => Ok(Outcomes::Amount(values())),
            TargetKind::Count => Ok(Outcomes::Count(values())),
            TargetKind::Next => not_explained(head),
        }
    }

    fn metrics(&self) -> [&'static str; 2] {
        match self {
            Outcomes::Happened(_) => ["auc", "log_loss"],
            Outcomes::Amount(_) | Outcomes::Count(_) => ["spearman", "loss"],
        }
    }

    /// The main metric and the mean loss of raw outputs `[examples, outputs]`.
    fn measure(&self, scorer: &Scorer, raw: &Tensor) -> Result<[f64; 2]> {
        let column = |x: &Tensor| rows_of::<f64>(&x.unsqueeze(1)).into_iter().map(|row| row[0]).collect::<Vec<f64>>();
        let targets = |values: Vec<f64>| device::send(&values, scorer.device);
        let (metric, loss, examples) = match self {
            Outcomes::Happened(happened) => {
                let wanted = targets(happened.iter().map(|happened| f64::from(u8::from(*happened))).collect());
                let log_odds = scorer.network.log_odds(&raw.to_kind(Kind::Double));
                let loss = Loss::of(binary_cross_entropy(&log_odds, &wanted), wanted.size()[0]);
                (metrics::auc(happened, &column(&log_odds)), loss, happened.len())
            }
            Outcomes::Amount(values) => {
                let actual: Vec<f64> = values.iter().map(|value| value.max(0.0)).collect();
                let [expected, _] = amount::forecast(raw, scorer.scaling);
                let loss = amount::loss(&raw.to_kind(Kind::Double), &targets(values.clone()));
                (metrics::spearman(&actual, &column(&expected)), loss, values.len())
            }
            Outcomes::Count(counts) => {
                let [expected, _] = count::forecast(raw, scorer.scaling);
                let loss = count::loss(raw, &targets(counts.clone()));
                (metrics::spearman(counts, &column(&expected)), loss, counts.len())
            }
        };
        let undefined = |reason: analytics::Error| {
            let metric = self.metrics()[0];
            Error::Undefined { metric, examples, reason: reason.to_string() }
        };
        Ok([metric.map_err(undefined)?, loss.value.double_value(&[])])
    }
}

/// The head's raw outputs `[examples, outputs]`, where example `i` has the inputs of example `from[i]`.
fn raw(scorer: &Scorer, examples: &[LabelledExample], inputs: &[Input], from: &[usize]) -> Tensor {
    let Scorer { network, weights, scaling, sequences, encoding, batch_size, device, .. } = scorer;
    let is_moved = takes_events(scorer, inputs);
    let shown = |number: usize| if is_moved { from[number] } else { number };
    let lengths: Vec<usize> = (0..examples.len()).map(|number| examples[shown(number)].example.len()).collect();
    let batches = Batcher::by_length(&lengths, *batch_size);
    let prepare = |numbers: &Vec<usize>| {
        let gather = |of: &dyn Fn(usize) -> usize| {
            Batch::gather(sequences, encoding, numbers.iter().map(|&number| &examples[of(number)].example))
        };
        let own = gather(&|number| number);
        let batch = if inputs.is_empty() { own } else { mixed(own, gather(&|number| from[number]), inputs, is_moved) };
        Inputs::new(&batch, &network.table, scaling, network.head, *device)
    };
    let mut found = Vec::with_capacity(batches.len());
    ahead(&batches, *device, prepare, |prepared| {
        for inputs in prepared {
            let state = network.read(weights, &inputs);
            found.extend(network.output(weights, &inputs, &state));
        }
    });
    let mut places = vec![0i64; examples.len()];
    for (place, number) in (0..).zip(batches.iter().flatten()) {
        places[*number] = place;
    }
    Tensor::cat(&found, 0).index_select(0, &device::send(&places, *device))
}

/// Whether a group is everything about events, so that the events themselves change hands.
fn takes_events(scorer: &Scorer, inputs: &[Input]) -> bool {
    let numbers = crate::inputs::feature_count(scorer.network.head);
    inputs.iter().filter(|input| input.is_of_events()).count() == sequences::Field::ALL.len() + numbers
}

/// `own` with the inputs of `other`, example by example.
fn mixed(own: Batch, other: Batch, inputs: &[Input], takes_events: bool) -> Batch {
    let (context, customer_features) = (own.context.clone(), own.customer_features.clone());
    let mut batch = if takes_events { Batch { context, customer_features, ..other.clone() } } else { own };
    let examples = batch.len();
    let brought = batch.customer_features.len() / examples.max(1);
    for &input in inputs {
        match input {
            Input::Aggregate(place) => take(&mut batch.context, &other.context, place, CONTEXT_FEATURES.len()),
            Input::Feature(place) => take(&mut batch.customer_features, &other.customer_features, place, brought),
            Input::EventField(_) | Input::EventFeature(_) if takes_events => {}
            Input::EventField(field) => {
                let (to, from) = (&mut batch.ids[field.index()], &other.ids[field.index()]);
                for (event, donor) in aligned(&batch.offsets, &other.offsets) {
                    to[event] = from[donor];
                }
            }
            Input::EventFeature(place) => {
                for (event, donor) in aligned(&batch.offsets, &other.offsets) {
                    let at = |event: usize| event * EVENT_FEATURES.len() + place;
                    batch.features[at(event)] = other.features[at(donor)];
                }
            }
        }
    }
    batch
}

/// One column of rows of `width`.
fn take(to: &mut [f32], from: &[f32], column: usize, width: usize) {
    to.iter_mut().zip(from).skip(column).step_by(width).for_each(|(to, from)| *to = *from);
}

/// Each event and the other's that is as old, counted from the newest; none where the other has no events.
fn aligned<'a>(own: &'a [usize], other: &'a [usize]) -> impl Iterator<Item = (usize, usize)> + 'a {
    own.windows(2).zip(other.windows(2)).flat_map(|(own, other)| {
        let count = other[1] - other[0];
        let paired = if count == 0 { 0..0 } else { 0..own[1] - own[0] };
        paired.map(move |age| (own[1] - 1 - age, other[1] - 1 - age % count))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_others_newest_event_is_taken_by_the_newest() {
        // Three events take from two, none from one, two from none.
        let pairs: Vec<_> = aligned(&[0, 3, 3, 5], &[0, 2, 3, 3]).collect();
        assert_eq!(pairs, [(2, 1), (1, 0), (0, 1)]);
    }

    #[test]
    fn importance_is_mean_and_sample_deviation() {
        assert_eq!(Importance::of(&[1.0, 3.0]), Importance { mean: 2.0, deviation: 2f64.sqrt() });
        assert_eq!(Importance::of(&[0.5]), Importance { mean: 0.5, deviation: 0.0 });
        assert_eq!(Importance::of(&[]), Importance::default());
    }

    #[test]
    fn a_shuffle_takes_from_each_once_and_is_decided_by_its_seed() {
        let mut all = shuffle(1000, 7, 1);
        assert_eq!(all, shuffle(1000, 7, 1));
        assert!(all != shuffle(1000, 7, 2) && all != shuffle(1000, 8, 1));
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1000));
    }
}
