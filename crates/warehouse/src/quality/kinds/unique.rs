//! Columns whose values no two rows share. Rows with a NULL among them share nothing.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Kind, columns};
use crate::error::Result;
use crate::quality::rule::Check;
use crate::quality::subject::Subject;
use crate::quality::{Dimension, Test};

pub(super) const KIND: Kind = Kind {
    name: "unique",
    dimension: Dimension::Consistency,
    usage: "unique(<column>, …)",
    is_of_rows: true,
    read: |arguments| Ok(Arc::new(Unique { columns: columns(arguments)? })),
};

#[derive(Debug)]
struct Unique {
    columns: Vec<String>,
}

impl Check for Unique {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            let columns = self.columns.iter().map(|name| on.column(name)).collect::<Result<Vec<_>>>()?;
            let named: Vec<String> =
                columns.iter().enumerate().map(|(i, column)| format!("{column} AS _k{i}")).collect();
            let same: Vec<String> =
                columns.iter().enumerate().map(|(i, column)| format!("{column} = d._k{i}")).collect();
            let shown: Vec<&str> = self.columns.iter().map(String::as_str).collect();
            let (rows, value) = (on.rows(), on.values(&shown));
            let groups =
                format!("SELECT {}, count(*) AS _n FROM {rows} GROUP BY {}", named.join(", "), columns.join(", "));
            let known: Vec<String> = (0..columns.len()).map(|i| format!("_k{i} IS NOT NULL")).collect();
            let counts = format!(
                "SELECT sum(_n), sum(_n) FILTER (WHERE _n > 1 AND {}) FROM ({groups}) AS g",
                known.join(" AND ")
            );
            // The few values that several rows share are the side that a join holds.
            let failing = format!(
                "SELECT t.*, {value} AS _value FROM ({groups} HAVING count(*) > 1) AS d INNER JOIN {rows} ON {}",
                same.join(" AND ")
            );
            Ok(Test::Rows { counts, failing, key: on.relation.key.clone() })
        })
    }
}
