//! How far the distribution of a column has moved since the last accepted snapshot; NULLs are left out.
//!
//! `psi`, the population stability index, of numbers over the deciles that they had then, of text over its values; `ks`, the
//! Kolmogorov–Smirnov statistic of numbers: [`analytics::drift`].

use std::sync::Arc;

use analytics::drift::{KolmogorovSmirnov, PopulationStability};
use arrow::datatypes::DataType;
use futures::future::BoxFuture;

use super::{Kind, amount, column, is_text, must_be_number};
use crate::error::Result;
use crate::quality::rule::Check;
use crate::quality::subject::Subject;
use crate::quality::values::{Counts, histogram, quantiles, side_by_side, total};
use crate::quality::{Dimension, Test};

pub(super) const KIND: Kind = Kind {
    name: "drift",
    dimension: Dimension::Consistency,
    usage: "drift(<column>, psi|ks < <threshold>)",
    is_of_rows: false,
    read: |arguments| match arguments {
        [name, bound] => {
            let wrong = || format!("\"{bound}\" is no bound of psi or ks");
            let (measure, threshold) = bound.split_once('<').ok_or_else(wrong)?;
            let measure = match measure.trim() {
                "psi" => Measure::Psi,
                "ks" => Measure::Ks,
                _ => return Err(wrong()),
            };
            Ok(Arc::new(Drift { column: column(name)?, measure, threshold: amount(threshold.trim())? }))
        }
        _ => Err("it takes a column and a bound".into()),
    },
};

#[derive(Debug)]
struct Drift {
    column: String,
    measure: Measure,
    threshold: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Measure {
    Psi,
    Ks,
}

const DECILES: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

impl Check for Drift {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            let column = on.column(&self.column)?;
            let data_type = on.data_type(&self.column)?;
            let is_category = is_text(data_type) || *data_type == DataType::Boolean;
            if !is_category || self.measure == Measure::Ks {
                must_be_number(on.relation, &self.column).map_err(|problem| on.fail(problem))?;
            }
            let unmeasured =
                |note| Ok(Test::Number { value: None, threshold: self.threshold, passed: true, note: Some(note) });
            let (session, snapshot) = match on.reference().await? {
                Ok(reference) => reference,
                Err(note) => return unmeasured(note),
            };
            let before = on.over(&session);
            let totals = (total(&before, &column, !is_category).await?, total(on, &column, !is_category).await?);
            if totals.0 == 0 {
                return unmeasured(format!("snapshot {snapshot} had no value"));
            }
            let value = match (self.measure, is_category) {
                (Measure::Psi, false) => deciles(&before, on, &column, totals).await?,
                (Measure::Psi, true) => {
                    let mut index = PopulationStability::new(totals.0, totals.1);
                    let (then, now) =
                        (Counts::of(&before, &column, false).await?, Counts::of(on, &column, false).await?);
                    side_by_side(then, now, |then, now| index.add(then, now)).await?;
                    index.value()
                }
                (Measure::Ks, _) => {
                    let mut distance = KolmogorovSmirnov::new(totals.0, totals.1);
                    let (then, now) = (Counts::of(&before, &column, true).await?, Counts::of(on, &column, true).await?);
                    side_by_side(then, now, |then, now| distance.add(then, now)).await?;
                    distance.value()
                }
            };
            Ok(Test::Number {
                value: Some(value),
                threshold: self.threshold,
                passed: value < self.threshold,
                note: Some(format!("since snapshot {snapshot}")),
            })
        })
    }
}

/// The stability index over the deciles of before; equal ones bound one bin.
async fn deciles(before: &Subject<'_>, on: &Subject<'_>, column: &str, totals: (u64, u64)) -> Result<f64> {
    let mut bounds = quantiles(before, column, &DECILES).await?.unwrap_or_default();
    bounds.dedup();
    let (then, now) = (histogram(before, column, &bounds).await?, histogram(on, column, &bounds).await?);
    let mut index = PopulationStability::new(totals.0, totals.1);
    then.iter().zip(&now).for_each(|(then, now)| index.add(*then, *now));
    Ok(index.value())
}
