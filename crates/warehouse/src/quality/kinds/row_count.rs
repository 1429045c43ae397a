//! How many rows there are: at least one number of them, and at most another.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Kind, amount};
use crate::error::Result;
use crate::quality::rule::Check;
use crate::quality::subject::Subject;
use crate::quality::{Dimension, Test};

pub(super) const KIND: Kind = Kind {
    name: "row_count",
    dimension: Dimension::Completeness,
    usage: "row_count(<least>[, <most>])",
    is_of_rows: false,
    read: |arguments| match arguments {
        [least] => Ok(Arc::new(RowCount { least: amount(least)?, most: None })),
        [least, most] => Ok(Arc::new(RowCount { least: amount(least)?, most: Some(amount(most)?) })),
        _ => Err("it takes one or two numbers".into()),
    },
};

#[derive(Debug)]
struct RowCount {
    least: f64,
    most: Option<f64>,
}

impl Check for RowCount {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            let rows = on.numbers(&on.count()).await?.first().copied().flatten().unwrap_or_default();
            let exceeded = self.most.filter(|most| rows > *most);
            Ok(Test::Number {
                value: Some(rows),
                threshold: exceeded.unwrap_or(self.least),
                passed: rows >= self.least && exceeded.is_none(),
                note: Some("rows".into()),
            })
        })
    }
}
