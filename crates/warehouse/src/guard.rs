//! Defines which statements a session runs: reads only. What the engine would accept and silently ignore
//! (`TABLESAMPLE`) is refused too, because a wrong answer is worse than none.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, TableFactor, Visit, Visitor};

use crate::error::{Error, Result};

/// Accepts queries, `EXPLAIN`, `SHOW` and `DESCRIBE`.
///
/// # Errors
/// [`Error::Refused`] names the statement.
pub(crate) fn read_only(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Statement(inner) => {
            if !is_read(inner) {
                return Err(refused(&statement.to_string()));
            }
        }
        Statement::Explain(explain) => read_only(&explain.statement)?,
        _ => return Err(refused(&statement.to_string())),
    }
    no_sampling(statement)
}

/// Refuses `TABLESAMPLE` anywhere in a statement.
pub(crate) fn no_sampling(statement: &Statement) -> Result<()> {
    let found = match statement {
        Statement::Statement(inner) => inner.visit(&mut Sampling).is_break(),
        _ => false,
    };
    match found {
        true => Err(Error::Refused {
            what: "TABLESAMPLE".into(),
            instead: "the engine would ignore it and read everything; filter on random() < fraction instead".into(),
        }),
        false => Ok(()),
    }
}

fn is_read(statement: &ast::Statement) -> bool {
    use ast::Statement as Sql;
    match statement {
        Sql::Query(query) => is_select(&query.body),
        Sql::Explain { statement, .. } => is_read(statement),
        Sql::ExplainTable { .. }
        | Sql::ShowVariable { .. }
        | Sql::ShowTables { .. }
        | Sql::ShowColumns { .. }
        | Sql::ShowFunctions { .. }
        | Sql::ShowCreate { .. } => true,
        _ => false,
    }
}

/// `WITH x AS (…) INSERT …` parses as a query.
fn is_select(body: &ast::SetExpr) -> bool {
    use ast::SetExpr;
    match body {
        SetExpr::Select(select) => select.into.is_none(),
        SetExpr::Query(query) => is_select(&query.body),
        SetExpr::SetOperation { left, right, .. } => is_select(left) && is_select(right),
        SetExpr::Values(_) | SetExpr::Table(_) => true,
        _ => false,
    }
}

fn refused(statement: &str) -> Error {
    let what = statement.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    let instead = "SQL only reads here (SELECT, EXPLAIN, SHOW, DESCRIBE); tables are filled by load, build and score, and \
        `perennial sql --write` takes CREATE and DROP of views and tables";
    Error::Refused { what: format!("\"{what} …\""), instead: instead.into() }
}

struct Sampling;

impl Visitor for Sampling {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
