//! Defines [`Counts`], the distinct values of a column in order, with how often each occurs, as the engine sorts them: what
//! quantiles and distances of distributions are computed from, one value in memory at a time.

use std::cmp::Ordering;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use futures::TryStreamExt;

use super::subject::{Subject, not_computed};
use crate::error::Result;
use crate::session::Batches;

/// NULL, NaN and the infinities are no values of a distribution.
const FINITE: &str = "abs(_v) <= 1.7976931348623157e308";

/// A value of a distribution.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Text(String),
}

impl Value {
    fn order(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Number(_), Value::Text(_)) => Ordering::Less,
            (Value::Text(_), Value::Number(_)) => Ordering::Greater,
        }
    }
}

/// Values in ascending order, and how often each occurs.
pub(super) struct Counts {
    batches: Batches,
    batch: Option<RecordBatch>,
    row: usize,
}

impl Counts {
    /// Of an expression over the rows of a check: as numbers, or as text.
    pub(super) async fn of(on: &Subject<'_>, expression: &str, is_number: bool) -> Result<Counts> {
        let values = values(on, expression, is_number);
        let query = format!("SELECT _v, count(*) AS _n FROM {values} GROUP BY _v ORDER BY _v");
        let query = on.session.sql(&query).await.map_err(|error| on.blame(error))?;
        let batches = query.stream().await.map_err(not_computed)?;
        Ok(Counts { batches, batch: None, row: 0 })
    }

    /// The next greater value.
    pub(super) async fn next(&mut self) -> Result<Option<(Value, u64)>> {
        loop {
            if let Some(batch) = self.batch.as_ref().filter(|batch| self.row < batch.num_rows()) {
                let values = batch.column(0);
                let value = match values.data_type() {
                    DataType::Float64 => Value::Number(values.as_primitive::<Float64Type>().value(self.row)),
                    _ => Value::Text(values.as_string::<i32>().value(self.row).into()),
                };
                let count = batch.column(1).as_primitive::<Int64Type>().value(self.row) as u64;
                self.row += 1;
                return Ok(Some((value, count)));
            }
            (self.batch, self.row) = (self.batches.try_next().await.map_err(not_computed)?, 0);
            if self.batch.is_none() {
                return Ok(None);
            }
        }
    }
}

/// Gives every value that one of two distributions has, in order: how often each of them has it.
pub(super) async fn side_by_side(mut one: Counts, mut other: Counts, mut each: impl FnMut(u64, u64)) -> Result<()> {
    let (mut a, mut b) = (one.next().await?, other.next().await?);
    loop {
        let order = match (&a, &b) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.order(b),
        };
        let taken = (a.take_if(|_| order != Ordering::Greater), b.take_if(|_| order != Ordering::Less));
        each(taken.0.as_ref().map_or(0, |(_, n)| *n), taken.1.as_ref().map_or(0, |(_, n)| *n));
        if taken.0.is_some() {
            a = one.next().await?;
        }
        if taken.1.is_some() {
            b = other.next().await?;
        }
    }
}

/// How many values of an expression there are.
pub(super) async fn total(on: &Subject<'_>, expression: &str, is_number: bool) -> Result<u64> {
    let counted = on.numbers(&format!("SELECT count(*) FROM {}", values(on, expression, is_number))).await?;
    Ok(counted.first().copied().flatten().unwrap_or_default() as u64)
}

/// Quantiles at `shares`, which rise, interpolated between neighbours (R. J. Hyndman and Y. Fan, Sample Quantiles in
/// Statistical Packages, 1996, type 7, as NumPy and R have it). `None` without values.
pub(super) async fn quantiles(on: &Subject<'_>, expression: &str, shares: &[f64]) -> Result<Option<Vec<f64>>> {
    let total = total(on, expression, true).await?;
    if total == 0 {
        return Ok(None);
    }
    let places: Vec<f64> = shares.iter().map(|share| share * (total - 1) as f64).collect();
    let mut found = vec![(f64::NAN, f64::NAN); shares.len()];
    let (mut counts, mut before) = (Counts::of(on, expression, true).await?, 0u64);
    while let Some((value, count)) = counts.next().await? {
        let Value::Number(value) = value else { continue };
        let here = |rank: f64| (before as f64) <= rank && rank < (before + count) as f64;
        for (place, (low, high)) in places.iter().zip(&mut found) {
            if here(place.floor()) {
                *low = value;
            }
            if here(place.ceil()) {
                *high = value;
            }
        }
        before += count;
    }
    let between = |(place, (low, high)): (&f64, &(f64, f64))| low + (high - low) * place.fract();
    Ok(Some(places.iter().zip(&found).map(between).collect()))
}

/// How many numbers of an expression lie up to each of `bounds`, which rise, above the one before; last those above all.
pub(super) async fn histogram(on: &Subject<'_>, expression: &str, bounds: &[f64]) -> Result<Vec<u64>> {
    let above = |i: usize| match i {
        0 => "true".to_string(),
        _ => format!("_v > {:?}", bounds[i - 1]),
    };
    let up_to = |i: usize| bounds.get(i).map_or("true".to_string(), |bound| format!("_v <= {bound:?}"));
    let bin = |i: usize| format!("count(*) FILTER (WHERE {} AND {})", above(i), up_to(i));
    let bins: Vec<String> = (0..=bounds.len()).map(bin).collect();
    let counts = on.numbers(&format!("SELECT {} FROM {}", bins.join(", "), values(on, expression, true))).await?;
    Ok(counts.into_iter().map(|count| count.unwrap_or_default() as u64).collect())
}

/// The values of an expression as a table with a column `_v`.
fn values(on: &Subject<'_>, expression: &str, is_number: bool) -> String {
    let (data_type, is_value) = if is_number { ("DOUBLE", FINITE) } else { ("VARCHAR", "_v IS NOT NULL") };
    format!("(SELECT cast({expression} AS {data_type}) AS _v FROM {}) AS v WHERE {is_value}", on.rows())
}
