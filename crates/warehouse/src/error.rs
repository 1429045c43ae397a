//! Defines what can go wrong between a user's files, SQL and tables. One variant per situation a user can be in; each
//! says what, which value, where, and what would be valid.

use std::path::PathBuf;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

use crate::load::{Reject, first_few};
use crate::{memory, problem};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A user's situation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A path or glob given to `load` names nothing.
    #[error("no file at {pattern}: {hint}")]
    NoFile {
        /// As the user gave it.
        pattern: String,
        /// What would be valid.
        hint: String,
    },

    /// A file could not be opened, read or written.
    #[error("can't {action} {}: {source}", .path.display())]
    Io {
        /// `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },

    /// A file's form is not what its ending promises, or its columns can't be a table's.
    #[error("{file}: {problem}")]
    File {
        /// The file.
        file: String,
        /// What is wrong and what would be right.
        problem: String,
    },

    /// Rows that don't parse or don't fit, more than the load bears.
    #[error(
        "{}{} rows of the files can't be loaded into {table}, {} may be rejected; nothing was loaded{}{}",
        if *.is_all { "" } else { "at least " }, .rejects.len(), .most, first_few(.rejects), way_out(.rejects)
    )]
    Rejected {
        /// The raw table.
        table: String,
        /// Those read until it was clear.
        rejects: Vec<Reject>,
        /// Whether the files were read to their end.
        is_all: bool,
        /// How many could have gone to `quality.rejects`.
        most: u64,
    },

    /// A value that is not of its column's type.
    #[error("{place}, column \"{column}\": \"{value}\" {problem}")]
    WrongValue {
        /// File and row, or staging file.
        place: String,
        /// The column.
        column: String,
        /// The value as text.
        value: String,
        /// Which type is expected and what to do.
        problem: String,
    },

    /// A table, setting or query argument that is not valid.
    #[error("{what} \"{value}\" is not valid: {valid}")]
    Argument {
        /// What was given.
        what: &'static str,
        /// The value.
        value: String,
        /// What would be valid.
        valid: String,
    },

    /// A SQL file of the project or of the shipped definitions is wrong.
    #[error("sql/{path}: {problem}")]
    Definition {
        /// Path below `sql/`.
        path: String,
        /// What is wrong and what would be right.
        problem: String,
    },

    /// Views read each other in a circle.
    #[error("views read each other in a circle: {}; take one of these reads out", .cycle.join(" -> "))]
    Cycle {
        /// The views, the first one again at the end.
        cycle: Vec<String>,
    },

    /// A query names a table that does not exist.
    #[error("there is no table or view {name}{}", nearest(.nearest_names))]
    UnknownTable {
        /// As written.
        name: String,
        /// The most similar names that exist.
        nearest_names: Vec<String>,
    },

    /// A query asks for versions of something that has none.
    #[error("{name} has no versions: only tables that were written have{}", nearest(.nearest_names))]
    NoVersions {
        /// As written.
        name: String,
        /// The most similar tables.
        nearest_names: Vec<String>,
    },

    /// A query asks for a version that the snapshot's table does not have yet.
    #[error("{name} has no version {version}; it has 0 to {newest}")]
    Version {
        /// The table.
        name: String,
        /// As asked for.
        version: u64,
        /// The snapshot's version of the table.
        newest: u64,
    },

    /// A query names a column that none of its tables has.
    #[error("there is no column {name}{}", nearest_or_all(.nearest_names, .known_names))]
    UnknownColumn {
        /// As written.
        name: String,
        /// The most similar names that exist.
        nearest_names: Vec<String>,
        /// All names that would be valid there.
        known_names: Vec<String>,
    },

    /// A query calls a function that does not exist.
    #[error("there is no function {name}{}", nearest(.nearest_names))]
    UnknownFunction {
        /// As written.
        name: String,
        /// The most similar names that exist.
        nearest_names: Vec<String>,
    },

    /// A text that is no SQL.
    #[error("syntax error: {0}")]
    Syntax(String),

    /// Something is wrong at a known place of a SQL text.
    #[error("{problem}\nline {line}, column {column}:\n{pointer}")]
    At {
        /// What is wrong.
        problem: Box<Error>,
        /// From 1.
        line: u64,
        /// In characters, from 1.
        column: u64,
        /// The line, and below it a caret at the column.
        pointer: String,
    },

    /// A statement that would change something, or that the engine would silently ignore.
    #[error("{what} is refused: {instead}")]
    Refused {
        /// The statement or clause.
        what: String,
        /// What to do instead.
        instead: String,
    },

    /// A staging file's rows can't go into their core table.
    #[error("sql/{path}: {problem}")]
    Staging {
        /// Path below `sql/`.
        path: String,
        /// What is wrong and what would be right.
        problem: String,
    },

    /// A cut-off or spine for which there is nothing to see.
    #[error("{0}")]
    CutOff(String),

    /// A query that does not fit into the memory that it may use.
    #[error(
        "not enough memory for {operator}{}. Raise --memory-limit, or ask for less at once: fewer columns, cut-offs or \
         customers, or a smaller table on one side of a join",
        if .holders.is_empty() { String::new() } else { format!("; most is held by {holders}") }
    )]
    Memory {
        /// The operator that asked for more.
        operator: String,
        /// Those that hold most, each with what it holds.
        holders: String,
    },

    /// A file that a table has is not there.
    #[error(
        "{path} is not there any more. If a vacuum or an erasure took it meanwhile, ask again; if not, `perennial doctor` \
         says what is damaged and what to do"
    )]
    Gone {
        /// The file.
        path: String,
    },

    /// A query without mistakes that could not be computed over the rows that there are.
    #[error("{0}")]
    NotComputed(Box<Error>),

    /// The query engine's answer (syntax, unknown column, type).
    #[error("{}", .0.strip_backtrace())]
    Query(Box<DataFusionError>),

    /// Tables, snapshots, object store.
    #[error(transparent)]
    Store(Box<store::Error>),
}

impl From<DataFusionError> for Error {
    /// Gives back our own error where the engine was only passing it on.
    fn from(error: DataFusionError) -> Error {
        match error {
            DataFusionError::External(inner) => match inner.downcast::<Error>() {
                Ok(own) => *own,
                Err(inner) => Error::Query(Box::new(DataFusionError::External(inner))),
            },
            other => {
                let ours = memory::exhausted(&other).or_else(|| problem::rephrased(&other));
                ours.unwrap_or_else(|| Error::Query(Box::new(other)))
            }
        }
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Error {
        Error::from(DataFusionError::from(error))
    }
}

impl From<store::Error> for Error {
    /// Gives back our own error where the store was only passing it on.
    fn from(error: store::Error) -> Error {
        match error {
            store::Error::Input { table, source } => match source.downcast::<Error>() {
                Ok(own) => *own,
                Err(source) => Error::Store(Box::new(store::Error::Input { table, source })),
            },
            other => Error::Store(Box::new(other)),
        }
    }
}

fn nearest(names: &[String]) -> String {
    match names {
        [] => String::new(),
        _ => format!(". Similar names: {}", names.join(", ")),
    }
}

fn way_out(rejects: &[Reject]) -> String {
    let pinned = match rejects.iter().any(|reject| reject.value.is_some()) {
        true => {
            "\nA table keeps the types of its first load: for wider ones load all files into a new table (--schema names types)."
        }
        false => "",
    };
    format!("{pinned}\nWith --max-rejects N up to N such rows go to quality.rejects, and the others are loaded.")
}

fn nearest_or_all(nearest_names: &[String], known_names: &[String]) -> String {
    match (nearest_names, known_names) {
        ([], []) => String::new(),
        ([], known) => format!("; there are {}", known.join(", ")),
        (names, _) => nearest(names),
    }
}
