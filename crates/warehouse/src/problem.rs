//! Defines how the engine's complaints become ours: in the place of the SQL text that they speak of, and a name that does
//! not exist with those that do.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::Location;

use crate::ddl::{quoted, type_name};
use crate::error::Error;
use crate::memory::between;

/// Similar names shown for one that does not exist.
const SIMILAR_NAMES: usize = 3;
/// A line of SQL is shown up to this many characters.
const SHOWN_WIDTH: usize = 100;
/// How the engine's diagnostics begin for a function that it does not know.
const INVALID_FUNCTION: &str = "Invalid function '";

/// `error` in our words, at its line and column of `text` where the engine knows them. `state` knows the functions.
pub(crate) fn located(error: Error, text: &str, state: Option<&SessionState>) -> Error {
    let Error::Query(engine) = error else { return error };
    if let DataFusionError::SQL(parser, _) = engine.find_root() {
        let (message, place) = syntax(parser);
        return with_place(Error::Syntax(message), place, text);
    }
    let diagnostic = engine.diagnostic();
    let place = diagnostic.and_then(|diagnostic| diagnostic.span);
    let place = place.map(|span| Location { line: span.start.line, column: span.start.column });
    let function = diagnostic.and_then(|diagnostic| diagnostic.message.strip_prefix(INVALID_FUNCTION));
    let error = match (missing_column(&engine), function, state) {
        (Some((column, known)), ..) => unknown_column(column, known),
        (_, Some(name), Some(state)) => unknown_function(name.trim_end_matches('\''), state),
        _ => Error::Query(engine),
    };
    with_place(error, place, text)
}

/// What the engine says of files, calls and values, in our words: it tells them in texts only.
pub(crate) fn rephrased(error: &DataFusionError) -> Option<Error> {
    let text = error.strip_backtrace();
    if let Some(path) = between(&text, "Object at location ", " not found") {
        return Some(Error::Gone { path: path.into() });
    }
    match error.find_root() {
        DataFusionError::Plan(message) => wrong_call(message),
        DataFusionError::ArrowError(arrow, _) => wrong_value(arrow),
        // Several streams that wait for one failed share its error.
        DataFusionError::External(shared) => match shared.downcast_ref() {
            Some(Error::Argument { what, value, valid }) => {
                Some(Error::Argument { what, value: value.clone(), valid: valid.clone() })
            }
            _ => None,
        },
        _ => None,
    }
}

/// Such as `… types 'sum(Utf8)'. You might … Candidate functions:`, and below it what there is, line by line.
fn wrong_call(message: &str) -> Option<Error> {
    let call = between(message, "name and argument types '", "'. You might")?;
    let (_, known) = message.split_once("Candidate functions:\n")?;
    let known: Vec<&str> = known.lines().map(str::trim).collect();
    let valid = format!("it takes {}; a cast makes another type, as in cast(x AS DOUBLE)", in_sql(&known.join(", ")));
    Some(Error::Argument { what: "call", value: in_sql(call), valid })
}

/// Such as `Cannot cast string 'abc' to value of Int32 type`.
fn wrong_value(error: &ArrowError) -> Option<Error> {
    let ArrowError::CastError(message) = error else { return None };
    let (value, rest) = message.split_once('\'')?.1.rsplit_once('\'')?;
    let wanted = between(rest, " to value of ", " type")?;
    let valid = format!("it is no {}; try_cast makes NULL of what is none", in_sql(wanted));
    Some(Error::Argument { what: "value", value: value.into(), valid })
}

/// Types by their names in SQL.
fn in_sql(types: &str) -> String {
    use DataType::*;
    let names = [Utf8View, LargeUtf8, Utf8, Boolean, Int64, Float64, Date32];
    let named = names.iter().fold(types.to_string(), |text, name| text.replace(&name.to_string(), &type_name(name)));
    named.replace("Int32", "INT")
}

/// `error` at a place of `text`.
pub(crate) fn at(error: Error, place: Location, text: &str) -> Error {
    let line = text.lines().nth((place.line.max(1) - 1) as usize).unwrap_or_default();
    Error::At { problem: Box::new(error), line: place.line, column: place.column, pointer: pointer(line, place.column) }
}

fn with_place(error: Error, place: Option<Location>, text: &str) -> Error {
    match place.filter(|place| place.line > 0) {
        Some(place) => at(error, place, text),
        None => error,
    }
}

/// The names most like `name`; a right name in the wrong or no schema comes first.
pub(crate) fn similar(name: &str, names: Vec<String>) -> Vec<String> {
    // A name that needs quotes is like the one without them.
    let plain = |name: &str| name.replace('"', "").to_lowercase();
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_string();
    let asked = plain(name);
    let distance = |known: &String| {
        let known = plain(known);
        let short = levenshtein(&last(&known), &last(&asked));
        (short.min(levenshtein(&known, &asked)), short)
    };
    let mut ranked: Vec<(_, String)> = names.into_iter().map(|known| (distance(&known), known)).collect();
    ranked.sort();
    let near = |(distance, known): &((usize, usize), String)| distance.0 <= known.len().max(name.len()) / 2;
    ranked.into_iter().filter(near).take(SIMILAR_NAMES).map(|(_, known)| known).collect()
}

/// What the parser says, and where: it tells the place at the end of its message only.
fn syntax(error: &ParserError) -> (String, Option<Location>) {
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message.as_str(),
        ParserError::RecursionLimitExceeded => return ("it is nested too deeply".into(), None),
    };
    let place = message.rsplit_once(" at Line: ").and_then(|(message, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((message, Location { line: line.parse().ok()?, column: column.trim().parse().ok()? }))
    });
    match place {
        Some((message, place)) => (message.to_string(), Some(place)),
        None => (message.to_string(), None),
    }
}

/// Of several, as in a `SELECT` of two, the first.
fn missing_column(error: &DataFusionError) -> Option<(&Column, &[Column])> {
    match error.find_root() {
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => Some((field, valid_fields)),
            _ => None,
        },
        _ => None,
    }
}

fn unknown_column(column: &Column, known: &[Column]) -> Error {
    let name = column.flat_name();
    // As a query must write it, quotes and all: with the table only if this one does.
    let text = |known: &Column| match known.relation.as_ref().filter(|_| column.relation.is_some()) {
        Some(table) => format!("{table}.{}", written(&known.name)),
        None => written(&known.name),
    };
    let mut known_names: Vec<String> = Vec::with_capacity(known.len());
    for known in known.iter().map(text) {
        if !known_names.contains(&known) {
            known_names.push(known);
        }
    }
    Error::UnknownColumn { nearest_names: similar(&name, known_names.clone()), name, known_names }
}

/// A name as SQL takes it for this one: in quotes where without them it would mean another, or nothing.
fn written(name: &str) -> String {
    let is_word = name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(char::is_numeric);
    if is_word && name.to_lowercase() == name { name.to_string() } else { quoted(name) }
}

fn unknown_function(name: &str, state: &SessionState) -> Error {
    let (scalar, aggregate) = (state.scalar_functions().keys(), state.aggregate_functions().keys());
    let known: BTreeSet<String> = scalar.chain(aggregate).chain(state.window_functions().keys()).cloned().collect();
    Error::UnknownFunction { name: name.into(), nearest_names: similar(name, known.into_iter().collect()) }
}

/// A line with a caret below its `column`, from 1; of a long line the part around it.
fn pointer(line: &str, column: u64) -> String {
    let at = (column.max(1) - 1) as usize;
    let characters: Vec<char> = line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
    let start = if characters.len() <= SHOWN_WIDTH { 0 } else { at.saturating_sub(SHOWN_WIDTH / 2) };
    let shown: String = characters.iter().skip(start).take(SHOWN_WIDTH).collect();
    format!("{}\n{}^", shown.trim_end(), " ".repeat(at - start))
}
