//! How much the number of rows may differ from that of the last accepted snapshot, as a share of that one.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::Kind;
use crate::error::Result;
use crate::quality::grammar::percent;
use crate::quality::rule::Check;
use crate::quality::subject::Subject;
use crate::quality::{Dimension, Test};

pub(super) const KIND: Kind = Kind {
    name: "row_count_change",
    dimension: Dimension::Completeness,
    usage: "row_count_change(<n> %)",
    is_of_rows: false,
    read: |arguments| match arguments {
        [most] => Ok(Arc::new(RowCountChange { most: percent(most)? })),
        _ => Err("it takes one share".into()),
    },
};

#[derive(Debug)]
struct RowCountChange {
    most: f64,
}

impl Check for RowCountChange {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            let unmeasured =
                |note| Ok(Test::Number { value: None, threshold: self.most, passed: true, note: Some(note) });
            let (session, snapshot) = match on.reference().await? {
                Ok(reference) => reference,
                Err(note) => return unmeasured(note),
            };
            let rows = on.numbers(&on.count()).await?.first().copied().flatten().unwrap_or_default();
            let before = on.over(&session).numbers(&on.count()).await?.first().copied().flatten().unwrap_or_default();
            if before == 0.0 {
                return unmeasured(format!("snapshot {snapshot} had no rows"));
            }
            let change = (rows - before) / before;
            let note = Some(format!("{rows} rows, {before} in snapshot {snapshot}"));
            Ok(Test::Number { value: Some(change), threshold: self.most, passed: change.abs() <= self.most, note })
        })
    }
}
