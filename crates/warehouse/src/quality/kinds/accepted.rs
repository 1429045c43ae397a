//! A column that has only the values listed.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Kind, column, is_text};
use crate::error::Result;
use crate::quality::rule::Check;
use crate::quality::subject::Subject;
use crate::quality::{Dimension, Test};

pub(super) const KIND: Kind = Kind {
    name: "accepted",
    dimension: Dimension::Accuracy,
    usage: "accepted(<column>, <value>, …)",
    is_of_rows: true,
    read: |arguments| match arguments {
        [name, values @ ..] if !values.is_empty() && values.iter().all(|value| !value.is_empty()) => {
            let values = values.iter().map(|value| value.to_string()).collect();
            Ok(Arc::new(Accepted { column: column(name)?, values }))
        }
        _ => Err("it takes a column and the values that it may have".into()),
    },
};

#[derive(Debug)]
struct Accepted {
    column: String,
    values: Vec<String>,
}

impl Check for Accepted {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            let column = on.column(&self.column)?;
            let is_text = is_text(on.data_type(&self.column)?);
            // A word needs no quotes, and 007 of a text column is no number.
            let literal = |value: &String| match value.starts_with('\'') || !is_text {
                true => value.clone(),
                false => format!("'{}'", value.replace('\'', "''")),
            };
            let values: Vec<String> = self.values.iter().map(literal).collect();
            let fails = format!("{column} NOT IN ({})", values.join(", "));
            Ok(Test::Each { fails, value: on.values(&[&self.column]), note: None })
        })
    }
}
