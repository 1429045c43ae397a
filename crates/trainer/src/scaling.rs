//! Facts of the training set that the network's inputs and outputs are measured in.
//!
//! Amounts and gaps differ by orders of magnitude between shops and currencies; standardised by the training set's own
//! mean and deviation, one learning rate fits them all. Scoring must use the same numbers, so they are saved with the
//! weights.

use sequences::{Batch, CONTEXT_FEATURES, EVENT_FEATURES, LabelledExample, Target};
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::losses::MIN_DAYS;
use crate::piecewise::Feature;

/// Means and deviations of inputs and targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scaling {
    pub(crate) features: Vec<Moments>,
    pub(crate) context: Vec<Moments>,
    /// The features that the examples bring; runs of older versions have none.
    #[serde(default)]
    pub(crate) customer_features: Vec<Feature>,
    /// What they bring beside those, which is added to the outputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) offsets: Vec<Offset>,
    /// The share of targets that happened: true, above 0, bought within the horizon.
    pub(crate) rate: f32,
    /// Of the values; runs of older versions and other targets have none.
    #[serde(default)]
    pub(crate) target: Moments,
    /// Of the natural logarithms of the positive targets, values or days to the next purchase; where values have an offset, of
    /// how far they are from it.
    pub(crate) log_target: Moments,
    /// The natural logarithm of the largest target, in as many days as the answers look ahead.
    pub(crate) log_largest: f32,
    /// What is added to the logarithm of an amount that is expected of those who have one, so that on the training set the total is
    /// right; runs of older versions, and those that are not calibrated, have none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) log_calibration: f32,
    /// The horizon of the targets, in days.
    pub(crate) horizon_days: f32,
}

fn is_zero(x: &f32) -> bool {
    *x == 0.0
}

/// A number of each example that is added to an output of the head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Offset {
    pub(crate) name: String,
    /// Its mean in training, which is part of the output's bias instead: so all that an example brings is 0 on average.
    pub(crate) mean: f32,
}

impl Offset {
    pub(crate) fn fit(name: &str, values: impl Iterator<Item = f32>) -> Self {
        Self { name: name.to_owned(), mean: moments(values).mean }
    }
}

/// Which offset is one of logarithms of values, where there are as many.
pub(crate) const VALUE_OFFSET: usize = 1;

/// Mean and standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Moments {
    pub(crate) mean: f32,
    pub(crate) deviation: f32,
}

/// Input moments are taken from this many examples, evenly spread over the training set.
const SAMPLE: usize = 10_000;
/// Values that hardly differ are not blown up: what training saw once may be common later.
const MIN_DEVIATION: f64 = 1e-3;

impl Scaling {
    pub(crate) fn fit(data: &Dataset, batches: impl Fn(&[usize]) -> Batch) -> Self {
        let sample: Vec<usize> = Self::sample_of(0..data.train.len()).collect();
        let batch = batches(&sample);
        let own = data.features.len() - data.offset_count();
        let mut happened = 0;
        let (mut logs, mut from_offset) = (Vec::new(), Vec::new());
        for LabelledExample { example, target } in data.train {
            let (has_happened, positive) = match *target {
                Target::Label(has_happened) => (has_happened, None),
                Target::Absence { days } => (days.is_none(), None),
                Target::NextPurchase { days, .. } => (days.is_some(), days.map(|days| days.max(MIN_DAYS))),
                Target::Value(value) => (value > 0.0, Some(value).filter(|value| *value > 0.0)),
            };
            happened += usize::from(has_happened);
            if let Some(log) = positive.map(f32::ln) {
                logs.push(log);
                from_offset.push(log - example.features().get(own + VALUE_OFFSET).unwrap_or(&0.0));
            }
        }
        let log_target = moments(from_offset.iter().copied());
        let column = |place| batch.customer_features.iter().skip(place).step_by(data.features.len()).copied();
        let (features, offsets) = data.features.split_at(own);
        let offsets: Vec<Offset> = (own..).zip(offsets).map(|(place, name)| Offset::fit(name, column(place))).collect();
        // Answers that look further ahead than the targets may be larger than any of them.
        let further = data.offsets.map_or(1.0, |offsets| (offsets.days / data.horizon_days).max(1.0));
        Self {
            features: columns(&batch.features, EVENT_FEATURES.len()),
            context: columns(&batch.context, CONTEXT_FEATURES.len()),
            customer_features: (0..).zip(features).map(|(place, name)| Feature::fit(name, column(place))).collect(),
            offsets,
            rate: happened as f32 / data.train.len().max(1) as f32,
            target: moments(data.train.iter().filter_map(|example| value(&example.target))),
            log_target,
            log_largest: logs.iter().copied().fold(0.0, f32::max) + further.ln(),
            log_calibration: 0.0,
            horizon_days: data.horizon_days,
        }
    }

    /// As many examples, evenly spread over the training set, as moments are taken from.
    pub(crate) fn sample_of<T>(examples: impl ExactSizeIterator<Item = T>) -> impl Iterator<Item = T> {
        let stride = examples.len().div_ceil(SAMPLE).max(1);
        examples.step_by(stride)
    }

    /// Names of what every example brings, in their order: of features, then of offsets.
    pub(crate) fn feature_names(&self) -> Vec<String> {
        let features = self.customer_features.iter().map(|feature| feature.name.clone());
        features.chain(self.offsets.iter().map(|offset| offset.name.clone())).collect()
    }

    /// The numbers that an example's features and offsets become.
    pub(crate) fn encode(&self, values: &[f32], to: &mut Vec<f32>) {
        let (features, offsets) = values.split_at(self.customer_features.len());
        self.customer_features.iter().zip(features).for_each(|(feature, value)| feature.encode(*value, to));
        to.extend(self.offsets.iter().zip(offsets).map(|(offset, value)| value - offset.mean));
    }

    /// Of each number that an example's features become, the place of its feature.
    pub(crate) fn features_of_columns(&self) -> Vec<i64> {
        let columns = (0..).zip(&self.customer_features).map(|(place, feature)| vec![place; feature.width()]);
        columns.flatten().collect()
    }

    /// How many numbers each feature and each offset becomes.
    pub(crate) fn widths(&self) -> Vec<i64> {
        let features = self.customer_features.iter().map(|feature| feature.width() as i64);
        features.chain(self.offsets.iter().map(|_| 1)).collect()
    }

    /// One for the tests of networks.
    #[cfg(test)]
    pub(crate) fn sample(customer_features: Vec<Feature>) -> Self {
        let moments = |count| vec![Moments { mean: 0.1, deviation: 2.0 }; count];
        Self {
            features: moments(EVENT_FEATURES.len()),
            context: moments(CONTEXT_FEATURES.len()),
            customer_features,
            offsets: Vec::new(),
            rate: 0.3,
            target: Moments::default(),
            log_target: Moments { mean: 3.0, deviation: 1.0 },
            log_largest: 5.0,
            log_calibration: 0.0,
            horizon_days: 90.0,
        }
    }

    /// How many numbers an example's features become, without the offsets.
    pub(crate) fn customer_width(&self) -> usize {
        self.customer_features.iter().map(Feature::width).sum()
    }
}

fn value(target: &Target) -> Option<f32> {
    if let Target::Value(value) = target { Some(*value) } else { None }
}

impl Default for Moments {
    fn default() -> Self {
        Self { mean: 0.0, deviation: 1.0 }
    }
}

impl Moments {
    /// A value in deviations from the mean.
    pub(crate) fn standardise(self, x: f32) -> f32 {
        (x - self.mean) / self.deviation
    }
}

fn columns(values: &[f32], width: usize) -> Vec<Moments> {
    (0..width).map(|column| moments(values.iter().skip(column).step_by(width).copied())).collect()
}

/// Mean and deviation, 0 and 1 for no values.
fn moments(values: impl Iterator<Item = f32>) -> Moments {
    let (mut count, mut sum, mut squares) = (0.0f64, 0.0, 0.0);
    for value in values.map(f64::from) {
        count += 1.0;
        sum += value;
        squares += value * value;
    }
    if count == 0.0 {
        return Moments::default();
    }
    let mean = sum / count;
    let deviation = (squares / count - mean * mean).max(0.0).sqrt();
    let deviation = if deviation < MIN_DEVIATION { 1.0 } else { deviation };
    Moments { mean: mean as f32, deviation: deviation as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_mean_and_deviation() {
        assert_eq!(moments([1.0, 3.0, 5.0, 7.0].into_iter()), Moments { mean: 4.0, deviation: 5f32.sqrt() });
        assert_eq!(moments([2.0; 5].into_iter()), Moments { mean: 2.0, deviation: 1.0 });
        assert_eq!(moments(std::iter::empty()), Moments { mean: 0.0, deviation: 1.0 });
    }
}
