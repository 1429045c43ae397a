//! The policy for missing values of a column, which are NULL and, in text, blanks: none may be missing, or with `at most`
//! some of them; with `at most 100 %` all may, and how many do is kept.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Kind, column, is_text};
use crate::error::Result;
use crate::quality::rule::Check;
use crate::quality::subject::Subject;
use crate::quality::{Dimension, Test};

pub(super) const KIND: Kind = Kind {
    name: "missing",
    dimension: Dimension::Completeness,
    usage: "missing(<column>) [at most <n> %]",
    is_of_rows: true,
    read: |arguments| match arguments {
        [name] => Ok(Arc::new(Missing { column: column(name)? })),
        _ => Err("it takes one column".into()),
    },
};

#[derive(Debug)]
struct Missing {
    column: String,
}

impl Check for Missing {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            let column = on.column(&self.column)?;
            let fails = match is_text(on.data_type(&self.column)?) {
                true => format!("{column} IS NULL OR trim({column}) = ''"),
                false => format!("{column} IS NULL"),
            };
            Ok(Test::Each { fails, value: on.values(&[&self.column]), note: None })
        })
    }
}
