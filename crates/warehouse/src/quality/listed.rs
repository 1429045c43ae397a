//! Defines [`Listed`]: a check that is a query of its own, `sql/checks/<name>.sql`, whose rows are the failing ones.

use futures::future::BoxFuture;

use super::Test;
use super::rule::Check;
use super::subject::{Relation, Subject};
use crate::ddl::quoted;
use crate::error::Result;

/// Column of the view that says what is wrong, where it has one.
const VALUE: &str = "value";

/// A view of failing rows.
#[derive(Debug)]
pub(super) struct Listed {
    /// `checks.<name>`.
    pub(super) view: String,
    /// Columns of the view that name a failing row.
    pub(super) key: Vec<String>,
}

impl Check for Listed {
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>> {
        Box::pin(async move {
            let view = Relation::of(on.session, &self.view).await?;
            for column in &self.key {
                view.data_type(column).map_err(|problem| on.fail(format!("grain: {problem}")))?;
            }
            let value = view.data_type(VALUE).map_or("cast(NULL AS VARCHAR)".into(), |_| quoted(VALUE));
            let failing = format!("SELECT *, {value} AS _value FROM {} AS t", view.sql);
            let counts =
                format!("SELECT ({}) AS checked, (SELECT count(*) FROM ({failing}) AS f) AS failed", on.count());
            Ok(Test::Rows { counts, failing, key: self.key.clone() })
        })
    }
}
