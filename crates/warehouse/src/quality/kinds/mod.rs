//! One file a kind of check: its name, the dimension that it speaks of, how it is written, and how it is tested.

use std::sync::Arc;

use arrow::datatypes::DataType;

use super::rule::Check;
use super::subject::Relation;
use super::{Dimension, grammar};

/// A kind of check.
pub(super) struct Kind {
    /// As headers have it.
    pub(super) name: &'static str,
    /// What it speaks of, unless the line says otherwise.
    pub(super) dimension: Dimension,
    /// How it is written.
    pub(super) usage: &'static str,
    /// Whether rows fail it, and not the table.
    pub(super) is_of_rows: bool,
    /// Reads its arguments; the error says what is wrong with them.
    pub(super) read: fn(&[&str]) -> ReadCheck,
}

/// A check, or what is wrong with its arguments.
type ReadCheck = Result<Arc<dyn Check>, String>;

/// Declares each kind's module and its place in the list, so that the list exists once.
macro_rules! kinds {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*

        /// All kinds.
        pub(super) const KINDS: &[&Kind] = &[$(&$module::KIND),*];
    };
}

kinds! {
    accepted,
    drift,
    fresh,
    holds,
    matches,
    missing,
    not_null,
    outliers,
    range,
    references,
    row_count,
    row_count_change,
    sum_equals,
    unique,
}

/// What a rule without a name is.
pub(super) use holds::KIND as HOLDS;

pub(super) fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}

/// The name of a column: a plain word, or anything in double quotes.
fn column(text: &str) -> Result<String, String> {
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match quoted {
        Some(name) if !name.is_empty() => Ok(name.replace("\"\"", "\"")),
        None if grammar::words(text) == [text] => Ok(text.to_ascii_lowercase()),
        _ => Err(format!("\"{text}\" is no column")),
    }
}

/// One or more columns.
fn columns(arguments: &[&str]) -> Result<Vec<String>, String> {
    match arguments {
        [] => Err("it names no column".into()),
        _ => arguments.iter().map(|argument| column(argument)).collect(),
    }
}

/// `core.customers.customer_id` as table and column.
fn column_of(text: &str) -> Result<(String, String), String> {
    let (table, name) = text.rsplit_once('.').ok_or_else(|| no_column_of(text))?;
    match grammar::words(table).as_slice() {
        [schema, name_of_table] if table == format!("{schema}.{name_of_table}") => Ok((table.into(), column(name)?)),
        _ => Err(no_column_of(text)),
    }
}

fn no_column_of(text: &str) -> String {
    format!("\"{text}\" is no column of a table: write <schema>.<table>.<column>")
}

/// A number that is not negative.
fn amount(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number >= 0.0 && number.is_finite());
    number.ok_or_else(|| format!("\"{text}\" is no number of at least 0"))
}

/// Whether a column can be compared as numbers; the error says what its type is.
fn must_be_number(relation: &Relation, column: &str) -> Result<(), String> {
    match relation.data_type(column)? {
        data_type if data_type.is_numeric() => Ok(()),
        data_type => Err(format!("{column} is a {}, not a number", crate::ddl::type_name(data_type))),
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}
