//! Numbers that lie far from the others.
//!
//! `mad k` (3.5 by default): the modified z-score .6745 (x − median) / MAD is beyond ±k, where MAD is the median of the
//! distances from the median (B. Iglewicz and D. C. Hoaglin, How to Detect and Handle Outliers, 1993). Where more than half
//! of the values are equal, MAD is 0, and 1.253314 times the mean distance stands in for MAD / .6745, as there.
//!
//! `iqr k`: below the first quartile or above the third by more than k times the distance between the two (J. W. Tukey,
//! Exploratory Data Analysis, 1977, with k = 1.5).

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Kind, amount, column, must_be_number};
use crate::error::Result;
use crate::quality::rule::Check;
use crate::quality::subject::Subject;
use crate::quality::values::quantiles;
use crate::quality::{Dimension, Test};

pub(super) const KIND: Kind = Kind {
    name: "outliers",
    dimension: Dimension::Accuracy,
    usage: "outliers(<column>[, mad <k>|iqr <k>]) [at most <n> %]",
    is_of_rows: true,
    read: |arguments| match arguments {
        [name] => Ok(Arc::new(Outliers { column: column(name)?, fence: Fence::Mad(3.5) })),
        [name, fence] => Ok(Arc::new(Outliers { column: column(name)?, fence: Fence::read(fence)? })),
        _ => Err("it takes a column and a fence".into()),
    },
};

#[derive(Debug)]
struct Outliers {
    column: String,
    fence: Fence,
}

/// What lies too far.
#[derive(Debug, Clone, Copy)]
enum Fence {
    Mad(f64),
    Iqr(f64),
}

/// Standard deviations of a normal distribution in its MAD, and in its mean distance from the median.
const MAD: f64 = 0.6745;
const MEAN_DISTANCES: f64 = 1.253314;

impl Fence {
    fn read(text: &str) -> Result<Fence, String> {
        match text.split_once(' ') {
            Some(("mad", k)) => Ok(Fence::Mad(amount(k.trim())?)),
            Some(("iqr", k)) => Ok(Fence::Iqr(amount(k.trim())?)),
            _ => Err(format!("\"{text}\" is no fence")),
        }
    }

    /// The least and the greatest number that is no outlier; `None` without numbers.
    async fn bounds(self, on: &Subject<'_>, column: &str) -> Result<Option<(f64, f64)>> {
        match self {
            Fence::Iqr(k) => {
                let quartiles = quantiles(on, column, &[0.25, 0.75]).await?;
                Ok(quartiles.map(|q| (q[0] - k * (q[1] - q[0]), q[1] + k * (q[1] - q[0]))))
            }
            Fence::Mad(k) => {
                let Some(median) = quantiles(on, column, &[0.5]).await?.map(|q| q[0]) else { return Ok(None) };
                let distance = format!("abs({column} - {median:?})");
                let mad = quantiles(on, &distance, &[0.5]).await?.map_or(0.0, |q| q[0]);
                let deviation = match mad > 0.0 {
                    true => mad / MAD,
                    false => {
                        let mean = on.numbers(&format!("SELECT avg({distance}) FROM {}", on.rows())).await?;
                        MEAN_DISTANCES * mean.first().copied().flatten().unwrap_or_default()
                    }
                };
                Ok(Some((median - k * deviation, median + k * deviation)))
            }
        }
    }
}

impl Check for Outliers {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            let column = on.column(&self.column)?;
            must_be_number(on.relation, &self.column).map_err(|problem| on.fail(problem))?;
            let bounds = self.fence.bounds(on, &column).await?;
            let fails = bounds.map(|(low, high)| format!("{column} < {low:?} OR {column} > {high:?}"));
            Ok(Test::Each {
                fails: fails.unwrap_or_else(|| "false".into()),
                value: on.values(&[&self.column]),
                note: bounds.map(|(low, high)| format!("outside of {low:.4} to {high:.4}")),
            })
        })
    }
}
