//! Columns that are NULL in no row.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Kind, columns};
use crate::error::Result;
use crate::quality::rule::Check;
use crate::quality::subject::Subject;
use crate::quality::{Dimension, Test};

pub(super) const KIND: Kind = Kind {
    name: "not_null",
    dimension: Dimension::Completeness,
    usage: "not_null(<column>, …)",
    is_of_rows: true,
    read: |arguments| Ok(Arc::new(NotNull { columns: columns(arguments)? })),
};

#[derive(Debug)]
struct NotNull {
    columns: Vec<String>,
}

impl Check for NotNull {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            let null = |name: &String| Ok(format!("{} IS NULL", on.column(name)?));
            let nulls = self.columns.iter().map(null).collect::<Result<Vec<_>>>()?;
            let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
            Ok(Test::Each { fails: nulls.join(" OR "), value: on.values(&columns), note: None })
        })
    }
}
