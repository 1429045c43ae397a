//! A time column whose newest value lies no longer ago than so many days.

use std::sync::Arc;

use arrow::datatypes::DataType;
use futures::future::BoxFuture;

use super::{Kind, amount, column};
use crate::clock::MICROS_PER_DAY;
use crate::error::Result;
use crate::quality::rule::Check;
use crate::quality::subject::Subject;
use crate::quality::{Dimension, Test};

pub(super) const KIND: Kind = Kind {
    name: "fresh",
    dimension: Dimension::Timeliness,
    usage: "fresh(<time column>, <n> minutes|hours|days|weeks)",
    is_of_rows: false,
    read: |arguments| match arguments {
        [name, age] => Ok(Arc::new(Fresh { column: column(name)?, most_days: days(age)? })),
        _ => Err("it takes a time column and the greatest age of its newest value".into()),
    },
};

/// Minutes of each unit.
const UNITS: [(&str, f64); 4] = [("minute", 1.0), ("hour", 60.0), ("day", 1_440.0), ("week", 10_080.0)];

#[derive(Debug)]
struct Fresh {
    column: String,
    most_days: f64,
}

/// `2 days` in days.
fn days(text: &str) -> Result<f64, String> {
    let wrong = || format!("\"{text}\" is no age: write 2 days");
    let (number, unit) = text.split_once(' ').ok_or_else(wrong)?;
    let minutes = UNITS.iter().find(|(name, _)| unit.trim().trim_end_matches('s') == *name).ok_or_else(wrong)?.1;
    Ok(amount(number)? * minutes / 1_440.0)
}

impl Check for Fresh {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            let column = on.column(&self.column)?;
            if !matches!(on.data_type(&self.column)?, DataType::Timestamp(..) | DataType::Date32) {
                return Err(on.fail(format!("{} is no time", self.column)));
            }
            let query = format!("SELECT cast(cast(max({column}) AS TIMESTAMP) AS BIGINT) FROM {}", on.rows());
            let newest = on.numbers(&query).await?.first().copied().flatten();
            let age = newest.map(|newest| (on.now.timestamp_micros() as f64 - newest) / MICROS_PER_DAY as f64);
            Ok(Test::Number {
                value: age,
                threshold: self.most_days,
                passed: age.is_some_and(|age| age <= self.most_days),
                note: Some(if age.is_some() { "days since the newest" } else { "there is no value" }.into()),
            })
        })
    }
}
