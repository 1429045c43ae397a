//! Runs SQL for scripts and for people: statements one after the other, their rows printed in one of several forms.

mod editor;
mod history;
mod names;
mod repl;
mod rows;

use crate::context::Context;
use crate::print;
use anyhow::{Result, bail};
use pipeline::{Answer, Session, Statement};
pub use repl::Repl;
pub use rows::Rows;

/// Runs `statements` in order; the first that fails ends it.
pub async fn run(session: &Session, statements: &[Statement], format: Rows, context: &Context) -> Result<()> {
    format.check()?;
    if format == Rows::Parquet && statements.len() > 1 {
        bail!(
            "--format parquet holds the rows of one statement, and there are {}; use COPY … TO for each",
            statements.len()
        );
    }
    for statement in statements {
        answer(session, statement, format, context).await?;
    }
    Ok(())
}

/// Runs one statement and prints what it gives. Returns the number of rows.
async fn answer(session: &Session, statement: &Statement, format: Rows, context: &Context) -> Result<u64> {
    match context.watch("query", session.run(statement)).await? {
        Answer::Rows(query) => format.print(query, context).await,
        Answer::File { path, rows } => {
            print::status(&format!("{rows} rows in {}", path.display()));
            Ok(rows)
        }
    }
}
