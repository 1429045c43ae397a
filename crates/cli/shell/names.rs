//! Defines [`Names`], what the shell completes: keywords, schemas, tables, views, columns.

use anyhow::Result;
use pipeline::Session;
use std::collections::BTreeSet;

/// Words that begin or join the parts of a query.
const KEYWORDS: [&str; 48] = [
    "ALL",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COPY",
    "CROSS",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "ANALYZE",
    "FILTER",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OVER",
    "PARTITION",
    "SELECT",
    "THEN",
    "UNION",
    "USING",
    "WHEN",
    "WHERE",
    "WITH",
];

#[derive(Default)]
pub struct Names {
    /// `schema.name` and bare.
    tables: Vec<String>,
    columns: BTreeSet<String>,
}

impl Names {
    pub async fn of(session: &Session) -> Result<Names> {
        Ok(Names { tables: session.names(), columns: session.column_names().await? })
    }

    /// Completes the last word of `before`: from which character on, and by what.
    pub fn complete(&self, before: &str) -> (usize, Vec<String>) {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let word = &before[before
            .rfind(|c| !is_part(c))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8))..];
        let start = before.chars().count() - word.chars().count();
        let tables = || self.tables.iter().filter(|name| name.starts_with(word)).cloned();
        match word.rsplit_once('.') {
            None if word.is_empty() => (start, Vec::new()),
            None => {
                let schemas =
                    tables().map(|name| name.split_once('.').map_or(name.clone(), |(schema, _)| format!("{schema}.")));
                let columns = self.columns.iter().filter(|name| name.starts_with(word)).cloned();
                let keywords = KEYWORDS.iter().filter(|keyword| keyword.starts_with(&word.to_uppercase()));
                let found: BTreeSet<String> =
                    schemas.chain(columns).chain(keywords.map(|word| word.to_string())).collect();
                (start, found.into_iter().collect())
            }
            Some((qualifier, column)) => match tables().collect::<Vec<_>>() {
                // The name of a table or its alias, and a column of it.
                none if none.is_empty() => {
                    let columns = self.columns.iter().filter(|name| name.starts_with(column));
                    (start + qualifier.chars().count() + 1, columns.cloned().collect())
                }
                tables => (start, tables),
            },
        }
    }
}
