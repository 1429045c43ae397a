//! A column between two bounds, which are included: numbers, dates in quotes or other columns.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Kind, column};
use crate::error::Result;
use crate::quality::rule::Check;
use crate::quality::subject::Subject;
use crate::quality::{Dimension, Test};

pub(super) const KIND: Kind = Kind {
    name: "range",
    dimension: Dimension::Accuracy,
    usage: "range(<column>, <lowest>, <highest>)",
    is_of_rows: true,
    read: |arguments| match arguments {
        [name, low, high] if !low.is_empty() && !high.is_empty() => {
            Ok(Arc::new(Range { column: column(name)?, low: low.to_string(), high: high.to_string() }))
        }
        _ => Err("it takes a column and two bounds (for one bound write a predicate, such as amount >= 0)".into()),
    },
};

#[derive(Debug)]
struct Range {
    column: String,
    low: String,
    high: String,
}

impl Check for Range {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            let column = on.column(&self.column)?;
            let fails = format!("{column} < ({}) OR {column} > ({})", self.low, self.high);
            Ok(Test::Each { fails, value: on.values(&[&self.column]), note: None })
        })
    }
}
