//! Defines [`Rule`], a check that was read from a header and can be tested.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::grammar::{Line, call};
use super::kinds::{self, KINDS, Kind};
use super::listed::Listed;
use super::subject::Subject;
use super::{Dimension, Severity, Test};
use crate::error::Result;
use crate::header::Header;

/// Schema of the views whose rows fail.
pub(crate) const CHECKS: &str = "checks";

const NO_KEY: &str = "a line \"-- grain: <columns>\" must say what names a failing row";

/// What a kind of check makes of its arguments.
pub(crate) trait Check: fmt::Debug + Send + Sync {
    /// How it is decided on this snapshot.
    fn test<'a>(&'a self, on: &'a Subject<'a>) -> BoxFuture<'a, Result<Test>>;
}

/// A check of a table or view.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// Table or view that it is about.
    pub(crate) table: String,
    /// As the header has it; of a view in `checks` its name.
    pub(crate) text: String,
    /// Path below `sql/` of its file.
    pub(crate) path: String,
    pub(crate) dimension: Dimension,
    pub(crate) severity: Severity,
    /// SQL of the rows that it is about; all without it.
    pub(super) condition: Option<String>,
    /// Share of the rows that may fail.
    pub(super) at_most: f64,
    pub(super) check: Arc<dyn Check>,
}

impl Rule {
    /// The checks of a table or view, or the one that a view in `checks` is. The error says which is wrong and why.
    pub(crate) fn of(full_name: &str, path: &str, header: &Header) -> Result<Vec<Rule>, String> {
        match full_name.split_once('.') {
            Some((CHECKS, _)) => match header.checks.as_slice() {
                [text] => Ok(vec![Rule::listed(full_name, path, header, text).map_err(|e| said(text, e))?]),
                _ => Err("a view in sql/checks has one line \"-- check: <table that its rows belong to>\"".into()),
            },
            _ => {
                let has_key = !(header.key.is_empty() && header.grain.is_empty());
                let rule = |text: &String| Rule::parse(full_name, path, text, has_key).map_err(|e| said(text, e));
                header.checks.iter().map(rule).collect()
            }
        }
    }

    fn parse(table: &str, path: &str, text: &str, has_key: bool) -> Result<Rule, String> {
        let line = Line::parse(text)?;
        let known = call(line.rule).and_then(|(name, arguments)| Some((kinds::find(name)?, arguments)));
        let (kind, arguments) = known.unwrap_or((&kinds::HOLDS, vec![line.rule]));
        let check = (kind.read)(&arguments).map_err(|problem| format!("{problem}; write {}", kind.usage))?;
        if line.at_most.is_some() && !kind.is_of_rows {
            return Err(format!("{} is one number of the table, so \"at most\" says nothing", kind.name));
        }
        if kind.is_of_rows && !has_key {
            return Err(NO_KEY.into());
        }
        Ok(Rule::new(table, path, text.into(), &line, kind.dimension, check))
    }

    fn listed(view: &str, path: &str, header: &Header, text: &str) -> Result<Rule, String> {
        let line = Line::parse(text)?;
        if line.condition.is_some() {
            return Err("the view itself says which rows it is about".into());
        }
        if header.grain.is_empty() {
            return Err(NO_KEY.into());
        }
        let check = Arc::new(Listed { view: view.into(), key: header.grain.clone() });
        Ok(Rule::new(line.rule, path, view.into(), &line, kinds::HOLDS.dimension, check))
    }

    fn new(table: &str, path: &str, text: String, line: &Line, dimension: Dimension, check: Arc<dyn Check>) -> Rule {
        Rule {
            table: table.into(),
            text,
            path: path.into(),
            dimension: line.dimension.unwrap_or(dimension),
            severity: line.severity.unwrap_or_default(),
            condition: line.condition.map(String::from),
            at_most: line.at_most.unwrap_or(0.0),
            check,
        }
    }
}

fn said(text: &str, problem: String) -> String {
    format!("check \"{text}\": {problem}")
}

/// The kinds of checks, for messages.
pub(super) fn usages() -> String {
    let usages: Vec<&str> = KINDS.iter().map(|kind: &&Kind| kind.usage).collect();
    format!("a check is a SQL predicate or one of {}", usages.join(", "))
}
