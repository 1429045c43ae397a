//! How far customers have moved between two cut-offs: the population stability index of every feature.
//!
//! Numbers are counted in the deciles that they had at the first cut-off, words and booleans by value, the most frequent
//! ones then, and all others together. Having no value is a bin of its own, because to lose a value is to move, too. Times are
//! left out: they move with the cut-off.

use crate::dataset::cut_offs;
use crate::error::{Error, Result};
use analytics::drift::PopulationStability;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Schema};
use futures::StreamExt;
use std::collections::{BTreeMap, HashMap};
use warehouse::{SessionOptions, Warehouse};

/// Bins of a feature's values.
const BINS: usize = 10;
/// Not features.
const KEYS: [&str; 2] = ["customer_id", "as_of"];

/// The index of one feature.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drift {
    pub(super) feature: String,
    pub(super) psi: f64,
    /// At the later cut-off.
    pub(super) customers: u64,
}

/// Of every feature of `features.customer`, from the first cut-off to the second.
pub(super) async fn drifts(warehouse: &Warehouse, snapshot: u64, (from, to): (i64, i64)) -> Result<Vec<Drift>> {
    let mut values: BTreeMap<String, Values> = BTreeMap::new();
    each(warehouse, snapshot, from, |name, column| {
        values.entry(name.into()).or_insert(Values::of(column)).push(column)
    })
    .await?;
    let mut features: BTreeMap<String, Feature> =
        values.into_iter().map(|(name, values)| (name, Feature::new(values))).collect();
    each(warehouse, snapshot, to, |name, column| {
        if let Some(feature) = features.get_mut(name) {
            feature.count(column);
        }
    })
    .await?;
    let drift = |(name, feature): (String, Feature)| {
        let (psi, customers) = feature.psi();
        Drift { feature: name, psi, customers }
    };
    Ok(features.into_iter().map(drift).collect())
}

/// Hands over every column of features at a cut-off, batch by batch, as numbers or as text.
async fn each(warehouse: &Warehouse, snapshot: u64, at: i64, mut take: impl FnMut(&str, &ArrayRef)) -> Result<()> {
    let options = SessionOptions { snapshot: Some(snapshot), spine: cut_offs(&[at]), ..SessionOptions::default() };
    let session = warehouse.session(options).await?;
    let mut stream = session.sql("SELECT * FROM features.customer").await?.stream().await?;
    while let Some(batch) = stream.next().await {
        let batch: RecordBatch = batch?;
        for (name, to) in measurable(&batch.schema()) {
            if let Some(column) = batch.column_by_name(&name) {
                take(&name, &cast(column, &to).map_err(Error::Arrow)?);
            }
        }
    }
    Ok(())
}

/// The features that are numbers, words or booleans, and as what they are counted.
fn measurable(schema: &Schema) -> Vec<(String, DataType)> {
    let kind = |data_type: &DataType| match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean => Some(DataType::Utf8),
        DataType::Dictionary(_, values) if values.is_string() => Some(DataType::Utf8),
        data_type if data_type.is_numeric() => Some(DataType::Float64),
        _ => None,
    };
    let features = schema.fields().iter().filter(|field| !KEYS.contains(&field.name().as_str()));
    features.filter_map(|field| Some((field.name().clone(), kind(field.data_type())?))).collect()
}

/// A feature's values at the first cut-off.
enum Values {
    Numbers { values: Vec<f64>, missing: u64 },
    Words { counts: HashMap<String, u64>, missing: u64 },
}

impl Values {
    fn of(column: &ArrayRef) -> Values {
        match column.data_type() {
            DataType::Float64 => Values::Numbers { values: Vec::new(), missing: 0 },
            _ => Values::Words { counts: HashMap::new(), missing: 0 },
        }
    }

    fn push(&mut self, column: &ArrayRef) {
        match self {
            Values::Numbers { values, missing } => {
                for value in column.as_primitive::<Float64Type>() {
                    match value.filter(|value| value.is_finite()) {
                        Some(value) => values.push(value),
                        None => *missing += 1,
                    }
                }
            }
            Values::Words { counts, missing } => {
                for value in column.as_string::<i32>() {
                    match value {
                        Some(value) => *counts.entry(value.to_string()).or_default() += 1,
                        None => *missing += 1,
                    }
                }
            }
        }
    }
}

enum Bins {
    /// Upper ends of all bins but the last, ascending; an end belongs to its bin.
    Ends(Vec<f64>),
    /// The bin of each frequent value; all others share the last.
    Named(HashMap<String, usize>),
}

/// Counts of a feature's bins at both cut-offs; the last bin is of those without a value.
struct Feature {
    bins: Bins,
    then: Vec<u64>,
    now: Vec<u64>,
}

impl Feature {
    fn new(values: Values) -> Feature {
        let (bins, counts, missing) = match values {
            Values::Numbers { mut values, missing } => {
                values.sort_unstable_by(f64::total_cmp);
                let mut ends: Vec<f64> = (1..BINS)
                    .filter_map(|k| values.get((k * values.len()).div_ceil(BINS).saturating_sub(1)).copied())
                    .collect();
                ends.dedup();
                let mut counts = vec![0; ends.len() + 1];
                values.iter().for_each(|value| counts[bin(&ends, *value)] += 1);
                (Bins::Ends(ends), counts, missing)
            }
            Values::Words { counts, missing } => {
                let mut ranked: Vec<(String, u64)> = counts.into_iter().collect();
                ranked.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
                let rest: u64 = ranked.iter().skip(BINS - 1).map(|(_, count)| count).sum();
                ranked.truncate(BINS - 1);
                let counts = ranked.iter().map(|(_, count)| *count).chain([rest]).collect();
                let named = ranked.into_iter().zip(0..).map(|((value, _), bin)| (value, bin)).collect();
                (Bins::Named(named), counts, missing)
            }
        };
        let then: Vec<u64> = counts.into_iter().chain([missing]).collect();
        Feature { bins, now: vec![0; then.len()], then }
    }

    fn count(&mut self, column: &ArrayRef) {
        let missing = self.now.len() - 1;
        match &self.bins {
            Bins::Ends(ends) => {
                for value in column.as_primitive::<Float64Type>() {
                    let value = value.filter(|value| value.is_finite());
                    self.now[value.map_or(missing, |value| bin(ends, value))] += 1;
                }
            }
            Bins::Named(named) => {
                for value in column.as_string::<i32>() {
                    let of = |value: &str| named.get(value).copied().unwrap_or(missing - 1);
                    self.now[value.map_or(missing, of)] += 1;
                }
            }
        }
    }

    /// The index, and the customers of the second cut-off.
    fn psi(&self) -> (f64, u64) {
        let (then, now) = (self.then.iter().sum(), self.now.iter().sum());
        let mut index = PopulationStability::new(then, now);
        self.then.iter().zip(&self.now).for_each(|(then, now)| index.add(*then, *now));
        (index.value(), now)
    }
}

/// The first bin whose end is not below the value.
fn bin(ends: &[f64], value: f64) -> usize {
    ends.partition_point(|end| *end < value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, StringArray};
    use std::sync::Arc;

    fn psi(then: ArrayRef, now: ArrayRef) -> f64 {
        let mut values = Values::of(&then);
        values.push(&then);
        let mut feature = Feature::new(values);
        feature.count(&now);
        feature.psi().0
    }

    #[test]
    fn numbers_are_counted_in_the_deciles_they_had() {
        let numbers = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
        let hundred = || numbers((1..=100).map(f64::from).collect());
        assert_eq!(psi(hundred(), hundred()), 0.0);
        // Ten of each decile then; now all below 51, twenty in each of the lower five: by hand, 5 × (.2 − .1) ln 2 +
        // 5 × (.0001 − .1) ln .001.
        let lower = numbers((0..100).map(|i| f64::from(i / 2 + 1)).collect());
        let by_hand = 0.5 * 2f64.ln() + 5.0 * (0.0001 - 0.1) * 0.001f64.ln();
        assert!((psi(hundred(), lower) - by_hand).abs() < 1e-12);
        // One value fills several deciles, which are one bin then.
        assert_eq!(psi(numbers(vec![0.0; 9]), numbers(vec![0.0; 5])), 0.0);
    }

    #[test]
    fn to_have_no_value_is_a_value() {
        let numbers = |values: Vec<Option<f64>>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
        let half = psi(numbers(vec![Some(1.0); 4]), numbers(vec![Some(1.0), Some(1.0), None, Some(f64::NAN)]));
        assert!((half - (-0.5 * 0.5f64.ln() + (0.5 - 0.0001) * 5000f64.ln())).abs() < 1e-12, "{half}");
    }

    #[test]
    fn words_are_counted_by_value_and_rare_ones_together() {
        let words = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
        let (web, till) = (Some("web"), Some("till"));
        let moved = psi(words(vec![web, web, web, till]), words(vec![web, till, till, till]));
        assert!((moved - 0.5 * 3f64.ln() * 2.0).abs() < 1e-12, "{moved}");
        let names: Vec<String> = ('a'..='l').map(String::from).collect();
        let all = || words(names.iter().map(|name| Some(name.as_str())).collect());
        // The tenth and later names share a bin, with those that were never seen.
        let other =
            words(names.iter().take(9).map(|n| Some(n.as_str())).chain([Some("x"), Some("y"), Some("z")]).collect());
        assert_eq!(psi(all(), other), 0.0);
    }
}
