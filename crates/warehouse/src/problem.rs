//! Defines how the engine's complaints become ours: in the place of the SQL text that they speak of, and a name that does
//! not exist with those that do.

use std::collections::BTreeSet;

use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::Location;

use crate::error::Error;

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
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_string();
    let distance = |known: &String| {
        let short = levenshtein(&last(known), &last(name));
        (short.min(levenshtein(known, name)), short)
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
    // As the query writes it: with the table only if it does.
    let text = |known: &Column| if column.relation.is_some() { known.flat_name() } else { known.name.clone() };
    let mut known_names: Vec<String> = Vec::with_capacity(known.len());
    for known in known.iter().map(text) {
        if !known_names.contains(&known) {
            known_names.push(known);
        }
    }
    Error::UnknownColumn { nearest_names: similar(&name, known_names.clone()), name, known_names }
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
