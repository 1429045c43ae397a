//! A SQL predicate: it is false for no row. NULL is no failure.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::Kind;
use crate::error::Result;
use crate::quality::grammar::words;
use crate::quality::rule::Check;
use crate::quality::subject::Subject;
use crate::quality::{Dimension, Test};

pub(in crate::quality) const KIND: Kind = Kind {
    name: "holds",
    dimension: Dimension::Accuracy,
    usage: "holds(<predicate>)",
    is_of_rows: true,
    read: |arguments| match arguments {
        [] => Err("it has no predicate".into()),
        _ => Ok(Arc::new(Holds { predicate: arguments.join(", ") })),
    },
};

#[derive(Debug)]
struct Holds {
    predicate: String,
}

impl Check for Holds {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            let mut columns: Vec<&str> = Vec::new();
            for word in words(&self.predicate) {
                if on.relation.schema.index_of(word).is_ok() && !columns.contains(&word) {
                    columns.push(word);
                }
            }
            Ok(Test::Each { fails: format!("NOT ({})", self.predicate), value: on.values(&columns), note: None })
        })
    }
}
