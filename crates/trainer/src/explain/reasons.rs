//! Why a customer's prediction is what it is: integrated gradients (Sundararajan, Taly, Yan 2017, "Axiomatic attribution for
//! deep networks").
//!
//! All inputs go from a baseline to the customer's own on a straight line, and each input's contribution is its share of how
//! far the output climbs on the way. So contributions sum to the output less the baseline's: they are complete, which is
//! checked for every customer, and where the path is too winding for a few points it is taken again in smaller steps there.
//!
//! The baseline is a customer who is average in everything: aggregates and features at the training set's means, and as many
//! events as the customer has, each an average event. Events of zeros would be simpler, but a network that normalises its
//! tokens turns on the first hair's breadth away from zero.

use std::collections::HashMap;

use sequences::{Example, Field, Sequences};
use tch::{Kind, Tensor};

use super::{Input, not_explained, quadrature};
use crate::dataset::check_features;
use crate::evaluate::{Scorer, rows_of};
use crate::heads::{amount, count};
use crate::inputs::Inputs;
use crate::network::Network;
use crate::scaling::Scaling;
use crate::{Error, Head, Model, Result, TargetKind};

/// What moved one customer's output: the logit of churn, or the natural logarithm of the expected value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reasons {
    /// The output of the average customer with as many events.
    pub baseline: f64,
    /// The customer's own.
    pub output: f64,
    /// Groups of inputs, by their places among those asked for, and what each added; the largest first, either way.
    pub contributions: Vec<(usize, f64)>,
}

/// How far the sum of contributions may be from the output less the baseline; where these are further than 1 apart, in
/// units of that.
const TOLERANCE: f64 = 1e-3;
/// Into how many parts the time of a path is cut at first.
const PARTS: usize = 2;
/// Where that is too rough, how often a part may be halved, and the share of the tolerance that each may miss.
const HALVINGS: (u32, f64) = (12, 0.1);
/// The average event is that of so many of the examples, evenly spread.
const SAMPLE: usize = 10_000;

impl Model {
    /// The `top` largest contributions of groups of inputs to each example's output. What is average is so among these
    /// examples' events, and in training else.
    ///
    /// # Errors
    /// A head of next purchases, an example without the model's features, contributions that are not complete within
    /// a thousandth.
    pub fn reasons(
        &self,
        sequences: &Sequences,
        examples: &[Example],
        groups: &[Vec<Input>],
        top: usize,
    ) -> Result<Vec<Reasons>> {
        let output = explained(self.head())?;
        check_features(&self.features(), self.offsets(), examples)?;
        let places: HashMap<Input, usize> = self.inputs().into_iter().zip(0..).collect();
        let groups = groups.iter().map(|inputs| inputs.iter().filter_map(|input| places.get(input).copied()).collect());
        let groups: Vec<Vec<usize>> = groups.collect();
        let examples: Vec<&Example> = examples.iter().collect();
        self.with_scorer(sequences, |scorer| {
            let path = Path { scorer, output, average: average_event(scorer, &examples) };
            let mut found = vec![Reasons::default(); examples.len()];
            let mut open: Vec<usize> = (0..examples.len()).collect();
            for halvings in [0, HALVINGS.0] {
                let chosen: Vec<&Example> = open.iter().map(|&number| examples[number]).collect();
                let (mut missed, mut worst) = (Vec::new(), None);
                scorer.for_each_inputs(&chosen, |numbers, inputs| {
                    for (number, whole) in numbers.iter().map(|&n| open[n]).zip(path.follow(inputs, halvings)) {
                        match incomplete(number, &whole) {
                            None => found[number] = whole.largest(&groups, top),
                            Some(error) => {
                                missed.push(number);
                                worst = Some(error);
                            }
                        }
                    }
                });
                if let Some(error) = worst.filter(|_| halvings > 0) {
                    return Err(error);
                }
                open = missed;
            }
            Ok(found)
        })
    }
}

impl Reasons {
    /// Of contributions of every input in its place those of groups of them.
    fn largest(self, groups: &[Vec<usize>], top: usize) -> Reasons {
        let sum = |places: &Vec<usize>| places.iter().map(|&place| self.contributions[place].1).sum();
        let mut contributions: Vec<(usize, f64)> = groups.iter().map(sum).enumerate().collect();
        contributions.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        contributions.truncate(top);
        Reasons { contributions, ..self }
    }
}

/// What is wrong where all contributions do not come to the output.
fn incomplete(row: usize, reasons: &Reasons) -> Option<Error> {
    let sum: f64 = reasons.contributions.iter().map(|(_, contribution)| contribution).sum();
    let (output, difference) = (reasons.output, reasons.output - reasons.baseline);
    let tolerance = TOLERANCE * difference.abs().max(1.0);
    // Also where either is no number.
    let is_complete = (sum - difference).abs() <= tolerance;
    (!is_complete).then_some(Error::Incomplete { row, sum, output, difference, tolerance })
}

/// The head's output `[B, outputs]` → the number that is explained, `[B]`.
type Output = fn(&Network, &Tensor, &Scaling) -> Tensor;

fn explained(head: Head) -> Result<Output> {
    match head.target_kind() {
        TargetKind::Label => Ok(|network, raw, _| network.log_odds(raw)),
        TargetKind::Amount => Ok(|_, raw, scaling| amount::log_expected(raw, scaling)),
        TargetKind::Count => Ok(|_, raw, scaling| count::log_expected(raw, scaling)),
        TargetKind::Next => not_explained(head),
    }
}

/// Per field its part of the average event, `[D]`.
fn average_event(scorer: &Scorer, examples: &[&Example]) -> Vec<Tensor> {
    let sample: Vec<&Example> = examples.iter().step_by(examples.len().div_ceil(SAMPLE).max(1)).copied().collect();
    let encoder = &scorer.network.encoder;
    let mut sums: Vec<Option<Tensor>> = Field::ALL.map(|_| None).into();
    let events: usize = sample.iter().map(|example| example.len()).sum();
    scorer.for_each_inputs(&sample, |_, inputs| {
        tch::no_grad(|| {
            let is_event = inputs.is_event();
            for (field, sum) in sums.iter_mut().enumerate() {
                let rows = encoder.field_rows(scorer.weights, inputs, scorer.network.table.place(Field::ALL[field]))
                    * &is_event;
                let batch = rows.sum_dim_intlist([0i64, 1].as_slice(), false, Kind::Double);
                *sum = Some(sum.take().map_or(batch.shallow_clone(), |sum| sum + &batch));
            }
        });
    });
    sums.into_iter().flatten().map(|sum| (sum / events.max(1) as f64).to_kind(Kind::Float)).collect()
}

/// The straight line from the baseline to customers.
struct Path<'a> {
    scorer: &'a Scorer<'a>,
    output: Output,
    average: Vec<Tensor>,
}

/// What varies along it, or the gradient there: each token's rows `[B, W, D]`, the numbers of events `[B, W, features]`, the
/// aggregates `[B, context]` and what examples bring `[B, encoded + offsets]`, where they do.
struct Point(Vec<Tensor>);

impl Path<'_> {
    /// Reasons of all inputs, in their order, for each example of a batch. A part of the way whose slopes miss how far the
    /// output climbs there is halved, at most so often.
    fn follow(&self, inputs: &Inputs, halvings: u32) -> Vec<Reasons> {
        let ends = tch::no_grad(|| self.ends(inputs));
        let [baseline, output] = [0.0, 1.0].map(|time| self.height(inputs, &ends, time));
        let scale = (&output - &baseline).abs().clamp_min(1.0);
        let cut = |part: usize| part as f64 / PARTS as f64;
        let mut open: Vec<(f64, f64, u32)> = (0..PARTS).map(|part| (cut(part), cut(part + 1), halvings)).collect();
        let mut gradient: Option<Vec<Tensor>> = None;
        while let Some((from, to, left)) = open.pop() {
            let slopes = self.slopes(inputs, &ends, from, to);
            let is_rough = || {
                let climbed = self.height(inputs, &ends, to) - self.height(inputs, &ends, from);
                let missed = (climbed - ends.climb(&slopes)).abs() / &scale;
                // Not where it is no number, which it stays in smaller steps.
                missed.max().double_value(&[]) > TOLERANCE * HALVINGS.1
            };
            if left > 0 && is_rough() {
                let middle = (from + to) / 2.0;
                open.extend([(from, middle, left - 1), (middle, to, left - 1)]);
                continue;
            }
            gradient = Some(match gradient {
                None => slopes,
                Some(sums) => sums.into_iter().zip(slopes).map(|(sum, slope)| sum + slope).collect(),
            });
        }
        let [baseline, output] = [baseline, output].map(|column| rows_of::<f64>(&column.unsqueeze(1)));
        let contributions = tch::no_grad(|| self.contributions(inputs, &ends, &gradient.unwrap_or_default()));
        let ends = baseline.into_iter().zip(output);
        let reasons = ends.zip(contributions).map(|((baseline, output), row)| Reasons {
            baseline: baseline[0],
            output: output[0],
            contributions: row.into_iter().enumerate().collect(),
        });
        reasons.collect()
    }

    /// The output at a time between 0 and 1, `[B]`.
    fn height(&self, inputs: &Inputs, ends: &Ends, time: f64) -> Tensor {
        tch::no_grad(|| self.output_at(inputs, &ends.between(pace(time).0)))
    }

    /// The integral of the gradient over the way between two times.
    fn slopes(&self, inputs: &Inputs, ends: &Ends, from: f64, to: f64) -> Vec<Tensor> {
        let at = |(time, weight): (f64, f64)| -> Vec<Tensor> {
            let (share, speed) = pace(time);
            let weight = weight * speed;
            let point = Point(ends.between(share).0.into_iter().map(|x| x.set_requires_grad(true)).collect());
            let height = self.output_at(inputs, &point).sum(Kind::Double);
            Tensor::run_backward(&[height], &point.0, false, false).into_iter().map(|slope| slope * weight).collect()
        };
        let sum = |sums: Vec<Tensor>, slopes: Vec<Tensor>| sums.into_iter().zip(slopes).map(|(a, b)| a + b).collect();
        quadrature::nodes(from, to).map(at).reduce(sum).unwrap_or_default()
    }

    fn ends(&self, inputs: &Inputs) -> Ends {
        let rows = self.scorer.network.encoder.rows(self.scorer.weights, inputs);
        let is_event = inputs.is_event();
        let average: Tensor = self.average.iter().fold(rows.zeros_like(), |sum, part| sum + part);
        let from = &rows + (average - &rows) * is_event;
        let mut to = vec![rows, inputs.features.shallow_clone(), inputs.context.shallow_clone()];
        to.extend(inputs.customer.as_ref().map(Tensor::shallow_clone));
        // Numbers are measured from their means in training.
        let from = std::iter::once(from).chain(to[1..].iter().map(Tensor::zeros_like)).collect();
        Ends { from: Point(from), to: Point(to) }
    }

    /// `[B]`.
    fn output_at(&self, inputs: &Inputs, point: &Point) -> Tensor {
        let Scorer { network, weights, scaling, .. } = self.scorer;
        let clone = |place: usize| point.0.get(place).map(Tensor::shallow_clone);
        let numbers = |place: usize| point.0[place].shallow_clone();
        let inputs = inputs.with_numbers(numbers(1), numbers(2), clone(3));
        let state = network.encoder.read_rows(weights, &inputs, &point.0[0]);
        // A head that is explained has an output.
        let raw = network.output(weights, &inputs, &state).unwrap_or(state);
        (self.output)(network, &raw, scaling)
    }

    /// Per example what each input adds, `gradient` being the mean one along the path.
    fn contributions(&self, inputs: &Inputs, ends: &Ends, gradient: &[Tensor]) -> Vec<Vec<f64>> {
        let Scorer { network, weights, scaling, .. } = self.scorer;
        let batch = inputs.size.0;
        let is_event = inputs.is_event();
        let mut columns = Vec::new();
        for (field, average) in self.average.iter().enumerate() {
            let away = (network.encoder.field_rows(weights, inputs, network.table.place(Field::ALL[field])) - average)
                * &is_event;
            let added = (away * &gradient[0]).sum_dim_intlist([1i64, 2].as_slice(), true, Kind::Double);
            columns.push(added.view([batch, 1]));
        }
        let sums = |place: usize| &gradient[place] * (&ends.to.0[place] - &ends.from.0[place]);
        columns.push(sums(1).sum_dim_intlist(1i64, false, Kind::Double));
        columns.push(sums(2).to_kind(Kind::Double));
        if ends.to.0.len() > 3 {
            let parts = sums(3).split_with_sizes(scaling.widths(), 1);
            columns.extend(parts.iter().map(|part| part.sum_dim_intlist(1i64, true, Kind::Double)));
        } else {
            let features = scaling.customer_features.len() as i64;
            columns.push(Tensor::zeros([batch, features], (Kind::Double, inputs.context.device())));
        }
        rows_of::<f64>(&Tensor::cat(&columns, 1))
    }
}

/// How far along a path one is at a time between 0 and 1, and how fast. Slow at first: the average event is small, and a
/// network that normalises its tokens turns quickest there.
fn pace(time: f64) -> (f64, f64) {
    (time.powi(3), 3.0 * time.powi(2))
}

/// Where a path begins and ends.
struct Ends {
    from: Point,
    to: Point,
}

impl Ends {
    /// How far slopes climb on the way, `[B]`.
    fn climb(&self, slopes: &[Tensor]) -> Tensor {
        let part = |((from, to), slope): ((&Tensor, &Tensor), &Tensor)| {
            let climbed = (to - from) * slope;
            climbed.flatten(1, -1).sum_dim_intlist(1i64, false, Kind::Double)
        };
        let parts: Vec<Tensor> = self.from.0.iter().zip(&self.to.0).zip(slopes).map(part).collect();
        Tensor::stack(&parts, 0).sum_dim_intlist(0i64, false, Kind::Double)
    }

    /// So far along, 0 the baseline and 1 the customer.
    fn between(&self, share: f64) -> Point {
        let pairs = self.from.0.iter().zip(&self.to.0);
        Point(pairs.map(|(from, to)| from + (to - from) * share).collect())
    }
}

#[cfg(test)]
mod tests {
    use sequences::{CONTEXT_FEATURES, EVENT_FEATURES, Encoding, Vocabulary};
    use tch::Device;

    use super::*;
    use crate::network::Network;
    use crate::parameters::Weights;
    use crate::piecewise::Feature;
    use crate::{Config, RawConfig, device};

    struct Fixture {
        sequences: Sequences,
        encoding: Encoding,
        scaling: Scaling,
        network: Network,
        weights: Weights,
    }

    fn fixture(head: Head) -> Fixture {
        let lines: String = (0..40).map(|i| format!("{} item{}\n", i % 3, (i * 7) % 11)).collect();
        let sequences = Sequences::from_interactions(&lines, "lines").unwrap();
        let vocabulary = Vocabulary::fit(&sequences, i64::MAX, 1);
        let scaling = Scaling::sample(vec![
            Feature::fit("spread", (0..50).map(|i| i as f32)),
            Feature::fit("same", [1.0; 9].into_iter()),
            Feature::fit("flag", [0.0, 1.0, f32::NAN].into_iter()),
        ]);
        let raw = RawConfig { head, model: Default::default(), training: Default::default() };
        let (network, layout) = Network::new(&Config::try_from(raw).unwrap(), &vocabulary, &scaling);
        // Everything counts, also what starts at 0.
        let noise = || Tensor::randn(layout.len(), (Kind::Float, Device::Cpu)) * 0.1;
        let weights = layout.split(&device::seeded(1, 3, || layout.start() + noise()), Kind::Float);
        Fixture { encoding: vocabulary.encode(&sequences), sequences, scaling, network, weights }
    }

    impl Fixture {
        fn scorer(&self) -> Scorer<'_> {
            let Fixture { sequences, encoding, scaling, network, weights } = self;
            Scorer {
                network,
                weights,
                scaling,
                sequences,
                encoding,
                followers: None,
                batch_size: 8,
                device: Device::Cpu,
            }
        }
    }

    /// Where each input lies in a point: the tensor, and the columns of its last dimension.
    fn places(scaling: &Scaling) -> Vec<(usize, i64, i64)> {
        let features = (0..EVENT_FEATURES.len() as i64).map(|column| (1, column, 1));
        let context = (0..CONTEXT_FEATURES.len() as i64).map(|column| (2, column, 1));
        let mut first = 0;
        let customer = scaling.customer_features.iter().map(|feature| {
            first += feature.width() as i64;
            (3, first - feature.width() as i64, feature.width() as i64)
        });
        features.chain(context).chain(customer).collect()
    }

    /// The integral of the derivative along one input's way alone, by differences in many small steps.
    fn by_differences(path: &Path, inputs: &Inputs, ends: &Ends, way: impl Fn(f64) -> Point) -> Vec<f64> {
        const STEPS: usize = 400;
        const EPSILON: f64 = 0.01;
        let mut sums = vec![0.0; inputs.size.0 as usize];
        for step in 0..STEPS {
            let point = ends.between((step as f64 + 0.5) / STEPS as f64);
            let at = |far: f64| {
                let moved = point.0.iter().zip(way(far).0).map(|(x, way)| x + way).collect();
                rows_of::<f64>(&path.output_at(inputs, &Point(moved)).unsqueeze(1))
            };
            for (sum, (up, down)) in sums.iter_mut().zip(at(EPSILON).iter().zip(at(-EPSILON))) {
                *sum += (up[0] - down[0]) / (2.0 * EPSILON * STEPS as f64);
            }
        }
        sums
    }

    #[test]
    fn contributions_are_integrals_of_derivatives() {
        for head in [Head::Churn, Head::Clv] {
            let fixture = fixture(head);
            let scorer = fixture.scorer();
            let features = [[7.0, 1.0, 1.0], [49.0, 1.0, f32::NAN], [20.0, 1.0, 0.0]];
            let cuts = [(0, 9), (1, 100), (2, 3)];
            let examples = cuts.iter().zip(&features);
            let examples: Vec<Example> = examples
                .map(|((customer, at), f)| Example::at(&fixture.sequences, *customer, *at, 64).with_features(f))
                .collect();
            let examples: Vec<&Example> = examples.iter().collect();
            let average = average_event(&scorer, &examples);
            let path = Path { scorer: &scorer, output: explained(head).unwrap(), average };
            scorer.for_each_inputs(&examples, |_, inputs| {
                let ends = tch::no_grad(|| path.ends(inputs));
                let reasons = path.follow(inputs, HALVINGS.0);
                assert!(reasons.iter().all(|reasons| incomplete(0, reasons).is_none()), "{reasons:?}");
                let still = || -> Vec<Tensor> { ends.to.0.iter().map(Tensor::zeros_like).collect() };
                let close = |input: usize, expected: Vec<f64>| {
                    for (reasons, expected) in reasons.iter().zip(expected) {
                        let found = reasons.contributions[input].1;
                        assert!((found - expected).abs() < 2e-3, "{head:?} input {input}: {found}, not {expected}");
                    }
                };
                for (field, average) in path.average.iter().enumerate() {
                    let away = path.scorer.network.encoder.field_rows(
                        scorer.weights,
                        inputs,
                        scorer.network.table.place(Field::ALL[field]),
                    ) - average;
                    let away = away * inputs.is_event();
                    let way = |far: f64| {
                        let mut way = still();
                        way[0] = &away * far;
                        Point(way)
                    };
                    close(field, by_differences(&path, inputs, &ends, way));
                }
                // Every other one, for the time it takes; both features that differ are among them.
                for (input, (place, first, width)) in places(&fixture.scaling).into_iter().enumerate().step_by(2) {
                    let way = |far: f64| {
                        let mut way = still();
                        let whole = &ends.to.0[place] - &ends.from.0[place];
                        let mut part = way[place].narrow(-1, first, width);
                        part.copy_(&(whole.narrow(-1, first, width) * far));
                        Point(std::mem::take(&mut way))
                    };
                    close(Field::ALL.len() + input, by_differences(&path, inputs, &ends, way));
                }
            });
        }
    }

    #[test]
    fn what_does_not_come_to_the_output_is_an_error() {
        let reasons = |sum| Reasons { baseline: 1.0, output: 2.0, contributions: vec![(0, sum / 2.0), (1, sum / 2.0)] };
        assert!(incomplete(7, &reasons(1.000_9)).is_none());
        let message = incomplete(7, &reasons(1.002)).unwrap().to_string();
        assert!(message.contains("example 7") && message.contains("not complete"), "{message}");
        assert!(incomplete(7, &reasons(f64::NAN)).is_some());
        // A hundred apart, a tenth is a thousandth.
        let far = Reasons { baseline: 0.0, output: 100.0, contributions: vec![(0, 100.05)] };
        assert!(incomplete(7, &far).is_none());
    }
}
