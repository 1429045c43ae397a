//! A column whose text a regular expression finds (anchor it with ^ and $ to match all of it).

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Kind, column};
use crate::error::Result;
use crate::quality::rule::Check;
use crate::quality::subject::Subject;
use crate::quality::{Dimension, Test};

pub(super) const KIND: Kind = Kind {
    name: "matches",
    dimension: Dimension::Accuracy,
    usage: "matches(<column>, '<regular expression>')",
    is_of_rows: true,
    read: |arguments| match arguments {
        [name, pattern] if pattern.len() > 2 && pattern.starts_with('\'') && pattern.ends_with('\'') => {
            Ok(Arc::new(Matches { column: column(name)?, pattern: pattern.to_string() }))
        }
        _ => Err("it takes a column and a regular expression in quotes".into()),
    },
};

#[derive(Debug)]
struct Matches {
    column: String,
    /// With its quotes.
    pattern: String,
}

impl Check for Matches {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            // A pattern that is none is a mistake of the rule, whatever the rows are.
            let tried = on.session.sql(&format!("SELECT regexp_like('', {})", self.pattern)).await;
            let tried = match tried {
                Ok(query) => query.collect().await.map(|_| ()),
                Err(error) => Err(error),
            };
            tried.map_err(|error| on.blame(error))?;
            let fails = format!("NOT regexp_like(cast({} AS VARCHAR), {})", on.column(&self.column)?, self.pattern);
            Ok(Test::Each { fails, value: on.values(&[&self.column]), note: None })
        })
    }
}
