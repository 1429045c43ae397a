//! Runs SQL for scripts and for people: statements one after the other, their rows printed in one of several forms.

mod editor;
mod history;
mod names;
mod repl;
mod rows;

use crate::context::Context;
use crate::print;
use anyhow::{Result, bail};
use pipeline::{Answer, Changed, Session, SqlOptions, Statement, Warehouse};
pub use rows::Rows;
use std::path::PathBuf;

/// Where statements are run, and their rows printed.
pub struct Desk<'a> {
    pub warehouse: Warehouse,
    pub options: SqlOptions,
    pub session: Session,
    pub format: Rows,
    pub context: &'a Context,
    /// Where definitions may be changed.
    pub sql_dir: Option<PathBuf>,
}

impl Desk<'_> {
    /// Runs `statements` in order; the first that fails ends it.
    pub async fn run(&mut self, statements: &[Statement]) -> Result<()> {
        self.format.check()?;
        if self.format == Rows::Parquet && statements.len() > 1 {
            bail!(
                "--format parquet holds the rows of one statement, and there are {}; use COPY … TO for each",
                statements.len()
            );
        }
        for statement in statements {
            self.answer(statement).await?;
        }
        Ok(())
    }

    /// Runs one statement and prints what it gives. Returns the number of rows.
    async fn answer(&mut self, statement: &Statement) -> Result<u64> {
        if let (Some(sql_dir), Some(change)) = (&self.sql_dir, statement.change()?) {
            let (warehouse, changed) = self.warehouse.change(sql_dir, &change).await?;
            self.warehouse = warehouse;
            self.renew().await?;
            print::status(&match changed {
                Changed::Written(path) => format!("{} was written", path.display()),
                Changed::Removed(path) => format!("{} was removed", path.display()),
                Changed::Nothing => "nothing was to be done".into(),
            });
            return Ok(0);
        }
        match self.context.watch("query", self.session.run(statement)).await? {
            Answer::Rows(query) => {
                note_ignored(query.ignores_cut_offs());
                self.format.print(query, self.context).await
            }
            Answer::File { path, rows, ignores_cut_offs } => {
                note_ignored(ignores_cut_offs);
                print::status(&format!("{rows} rows in {}", path.display()));
                Ok(rows)
            }
        }
    }

    /// From now on sees the newest snapshot, unless another was asked for.
    async fn renew(&mut self) -> Result<()> {
        self.session = pipeline::session(&self.warehouse, &self.options).await?;
        Ok(())
    }
}

/// Says that the cut-offs that were given leave nothing out.
pub fn note_ignored(ignores_cut_offs: bool) {
    if ignores_cut_offs {
        print::status(
            "note: cut-offs count for what reads `spine`, such as features and labels; this query reads none of it, and \
             sees everything loaded",
        );
    }
}
