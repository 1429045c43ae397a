//! Defines the checks of tables and views: what a rule is, how it is tested, and what is kept of it.
//!
//! A check is a line in the header of a table's or view's SQL file,
//!
//! ```sql
//! -- check: status in ('completed', 'returned', 'cancelled')
//! -- check: references(customer_id, core.customers.customer_id) at most 1 % severity warn
//! -- check: range(amount, 0, 100000) where status = 'completed'
//! ```
//!
//! a predicate or one of [`kinds`], or a view `checks.<name>` whose rows are the failing ones. NULL fails only where a
//! rule is about NULLs. Of a table with a key the rows are the versions in force, so that a corrected mistake no longer
//! fails.
//!
//! What was found goes to `quality.results`, the key of every failing row to `quality.failures`; `quality.scores` is the
//! history of both.

mod check;
mod grammar;
mod kinds;
mod listed;
mod record;
mod rule;
mod subject;
mod values;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

pub use check::{CheckOptions, CheckReport, CheckResult, Failure, Score};
pub(crate) use record::FAILURES;
pub(crate) use rule::{CHECKS, Rule};

/// What a failing check means for the work that follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is reported.
    Warn,
    /// It is reported, and nothing is trained or published of it.
    #[default]
    Error,
}

/// What a check is about. The four of them are those of Batini and Scannapieco, Data and Information Quality (2016).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Values are what they can be.
    Accuracy,
    /// Nothing is missing.
    Completeness,
    /// Rows, tables and times agree.
    Consistency,
    /// Rows are recent.
    Timeliness,
}

impl Severity {
    const ALL: [Severity; 2] = [Severity::Warn, Severity::Error];

    /// As checks and tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Warn => "warn",
            Severity::Error => "error",
        }
    }
}

impl Dimension {
    const ALL: [Dimension; 4] =
        [Dimension::Accuracy, Dimension::Completeness, Dimension::Consistency, Dimension::Timeliness];

    /// As checks and tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Dimension::Accuracy => "accuracy",
            Dimension::Completeness => "completeness",
            Dimension::Consistency => "consistency",
            Dimension::Timeliness => "timeliness",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Severity::ALL.into_iter().find(|severity| severity.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("\"{text}\" is no severity: use warn or error"))
    }
}

impl FromStr for Dimension {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Dimension::ALL.into_iter().find(|dimension| dimension.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| {
            format!("\"{text}\" is no dimension: use {}", Dimension::ALL.map(Dimension::name).join(", "))
        })
    }
}

/// How a rule is decided.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// By each row alone: all such rules of a table are counted in one pass.
    Each {
        /// SQL that is true for a failing row `t`.
        fails: String,
        /// SQL of what is wrong in it.
        value: String,
        /// What else to know.
        note: Option<String>,
    },
    /// By a query of the failing rows.
    Rows {
        /// A query of how many rows are looked at, and how many of them fail.
        counts: String,
        /// A query with the columns of `key` and `_value`.
        failing: String,
        /// What names a failing row.
        key: Vec<String>,
    },
    /// By a number about the table.
    Number {
        /// What was measured; `None` where there is nothing to measure.
        value: Option<f64>,
        /// What it is compared with.
        threshold: f64,
        /// Whether the rule holds.
        passed: bool,
        /// What else to know.
        note: Option<String>,
    },
}
