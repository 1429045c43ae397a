//! Defines [`Session::run`]: what a statement does beside giving rows. `COPY … TO` writes a file as every result is
//! written; the engine's own would append when run twice and write no file for no rows.

use std::path::PathBuf;

use datafusion::sql::parser::{self, CopyToSource, CopyToStatement};
use datafusion::sql::sqlparser::ast;

use crate::error::{Error, Result};
use crate::session::{Query, Session};
use crate::statement::Statement;
use crate::write::{FileFormat, write_file};

/// What a statement gave.
#[derive(Debug)]
pub enum Answer {
    /// Rows to be computed.
    Rows(Query),
    /// Rows that are in a file now.
    File {
        /// As written.
        path: PathBuf,
        /// How many.
        rows: u64,
        /// As [`Query::ignores_cut_offs`] says of the query that gave them.
        ignores_cut_offs: bool,
    },
}

impl Session {
    /// Runs a statement: a query is planned, a `COPY` done.
    ///
    /// # Errors
    /// Those of [`Session::query`] and [`write_file`].
    pub async fn run(&self, statement: &Statement) -> Result<Answer> {
        let parser::Statement::CopyTo(copy) = &statement.parsed else {
            return Ok(Answer::Rows(self.query(statement).await?));
        };
        let path = PathBuf::from(&copy.target);
        let format = format(copy, &path)?;
        let query = self.query(&statement.with(source(copy)?)).await?;
        let ignores_cut_offs = query.ignores_cut_offs();
        let rows = write_file(query, &path, format).await?;
        Ok(Answer::File { path, rows, ignores_cut_offs })
    }
}

fn format(copy: &CopyToStatement, path: &std::path::Path) -> Result<FileFormat> {
    let CopyToStatement { source: _, target: _, partitioned_by, stored_as, options } = copy;
    let clauses = [
        ("STORED AS", stored_as.is_some()),
        ("PARTITIONED BY", !partitioned_by.is_empty()),
        ("OPTIONS", !options.is_empty()),
    ];
    match clauses.iter().find(|(_, given)| *given) {
        Some((clause, _)) => Err(Error::Refused {
            what: format!("{clause} of COPY"),
            instead: "the file's ending says its format (.csv, .json, .ndjson, .jsonl, .parquet), and it is one file"
                .into(),
        }),
        None => FileFormat::of(path),
    }
}

/// The query whose rows are copied.
fn source(copy: &CopyToStatement) -> Result<parser::Statement> {
    match &copy.source {
        CopyToSource::Query(query) => Ok(parser::Statement::Statement(Box::new(ast::Statement::Query(query.clone())))),
        CopyToSource::Relation(name) => Ok(Statement::one(&format!("SELECT * FROM {name}"))?.parsed),
    }
}
