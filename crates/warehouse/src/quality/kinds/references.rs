//! A column whose values a column of another table has. NULL refers to nothing.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::{Kind, column, column_of};
use crate::ddl::quoted;
use crate::error::Result;
use crate::quality::rule::Check;
use crate::quality::subject::Subject;
use crate::quality::{Dimension, Test};

pub(super) const KIND: Kind = Kind {
    name: "references",
    dimension: Dimension::Consistency,
    usage: "references(<column>, <schema>.<table>.<column>)",
    is_of_rows: true,
    read: |arguments| match arguments {
        [name, other] => {
            let (table, of) = column_of(other)?;
            Ok(Arc::new(References { column: column(name)?, table, of }))
        }
        _ => Err("it takes a column and a column of another table".into()),
    },
};

#[derive(Debug)]
struct References {
    column: String,
    table: String,
    /// Column of that table.
    of: String,
}

impl Check for References {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            let column = on.column(&self.column)?;
            let other = on.other(&self.table).await?;
            other.data_type(&self.of).map_err(|problem| on.fail(format!("in {}, {problem}", self.table)))?;
            // Any version of the other row will do.
            let known = format!("(SELECT DISTINCT {} AS _known FROM {}) AS r", quoted(&self.of), self.table);
            let rows = on.rows();
            let counts = format!(
                "SELECT count(*), count(*) FILTER (WHERE {column} IS NOT NULL AND r._known IS NULL) \
                 FROM {rows} LEFT JOIN {known} ON {column} = r._known"
            );
            let failing = format!(
                "SELECT t.*, {column} AS _value FROM {rows} LEFT ANTI JOIN {known} ON {column} = r._known WHERE {column} IS NOT NULL"
            );
            Ok(Test::Rows { counts, failing, key: on.relation.key.clone() })
        })
    }
}
