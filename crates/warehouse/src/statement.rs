//! Defines [`Statement`], one of the statements of a SQL text. It keeps the whole text, so that what is wrong with it is
//! said with the line and column that its writer sees.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::sql::parser::{self, CopyToSource, DFParser};
use datafusion::sql::sqlparser::ast::{ObjectName, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};

use crate::ddl::meant;
use crate::error::{Error, Result};
use crate::problem;

/// A parsed statement.
#[derive(Debug, Clone)]
pub struct Statement {
    pub(crate) parsed: parser::Statement,
    text: Arc<str>,
}

impl Statement {
    /// The statements of `text`, which `;` separates. All of it must parse, so that nothing runs of a text that is wrong
    /// further down.
    ///
    /// # Errors
    /// [`crate::Error::Syntax`] at its line and column.
    pub fn parse_all(text: &str) -> Result<Vec<Statement>> {
        let parsed = DFParser::parse_sql(text).map_err(|e| problem::located(e.into(), text, None))?;
        let text: Arc<str> = text.into();
        Ok(parsed.into_iter().map(|parsed| Statement { parsed, text: Arc::clone(&text) }).collect())
    }

    /// What is left of this statement to be run as another.
    pub(crate) fn with(&self, parsed: parser::Statement) -> Statement {
        Statement { parsed, text: Arc::clone(&self.text) }
    }

    /// `error` with the place in the text that it speaks of, where that is known.
    pub(crate) fn locate(&self, error: Error, state: &SessionState) -> Error {
        match &error {
            Error::UnknownTable { name, .. } => match self.place_of(name) {
                Some(place) => problem::at(error, place, &self.text),
                None => error,
            },
            _ => problem::located(error, &self.text, Some(state)),
        }
    }

    /// The only statement of `text`.
    pub(crate) fn one(text: &str) -> Result<Statement> {
        let mut statements = Statement::parse_all(text)?;
        match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => Ok(statement),
            _ => Err(Error::Argument {
                what: "SQL",
                value: text.chars().take(60).collect(),
                valid: "give exactly one statement".into(),
            }),
        }
    }

    /// Where the table `name` is first named.
    fn place_of(&self, name: &str) -> Option<Location> {
        let mut search = Relation { name };
        match each_part(&self.parsed, &mut search) {
            ControlFlow::Break(place) => Some(place).filter(|place| place.line > 0),
            ControlFlow::Continue(()) => None,
        }
    }
}

/// Whether nothing of `text` is still to come: it ends with a `;` that is in no string, name or comment.
pub fn is_complete(text: &str) -> bool {
    match Tokenizer::new(&GenericDialect {}, text).tokenize() {
        Ok(tokens) => {
            tokens.iter().rev().find(|token| !matches!(token, Token::Whitespace(_))) == Some(&Token::SemiColon)
        }
        // What is open may be closed on a later line; what else is wrong stays wrong.
        Err(error) => !["Unterminated", "EOF"].iter().any(|open| error.message.contains(open)),
    }
}

/// Visits the SQL in a statement, also in those that only the engine's own parser knows.
pub(crate) fn each_part<V: Visitor>(statement: &parser::Statement, visitor: &mut V) -> ControlFlow<V::Break> {
    match statement {
        parser::Statement::Statement(inner) => inner.visit(visitor),
        parser::Statement::Explain(explain) => each_part(&explain.statement, visitor),
        parser::Statement::CopyTo(copy) => match &copy.source {
            CopyToSource::Query(query) => query.visit(visitor),
            CopyToSource::Relation(name) => visitor.pre_visit_relation(name),
        },
        _ => ControlFlow::Continue(()),
    }
}

struct Relation<'a> {
    /// `schema.name`, or bare.
    name: &'a str,
}

impl Visitor for Relation<'_> {
    type Break = Location;

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Location> {
        let parts: Vec<_> = relation.0.iter().filter_map(|part| part.as_ident()).collect();
        let names: Vec<String> = parts.iter().map(|part| meant(part)).collect();
        match parts.first() {
            Some(first) if names.join(".").ends_with(self.name) => ControlFlow::Break(first.span.start),
            _ => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_with_a_semicolon_that_is_one() {
        let complete = ["SELECT 1;", "SELECT ';';", "SELECT 1; -- done\n", "SELECT 1;\n\n", "SELECT 1; SELECT 2;"];
        let open = ["", "SELECT 1", "SELECT ';", "SELECT 1 -- ;", "SELECT /* ;", "SELECT \"a;", "SELECT 1; SELECT"];
        assert!(complete.iter().all(|text| is_complete(text)));
        assert_eq!(open.iter().find(|text| is_complete(text)), None);
    }
}
