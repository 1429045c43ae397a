//! What can be wrong with the events a user brings.

/// An error in the input of a [`crate::Sequences`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The batch lacks a column of the timeline.
    #[error("the timeline has no column `{column}`; it has {found}; needed are {needed}")]
    MissingColumn { column: &'static str, found: String, needed: String },

    /// A column has a type that does not mean what the timeline needs.
    #[error("timeline column `{column}` is {found}; needed is {needed}")]
    WrongType { column: &'static str, found: String, needed: &'static str },

    /// A column that must be filled holds NULL.
    #[error("timeline row {row}: `{column}` is NULL; filter such rows out before they become sequences")]
    Null { column: &'static str, row: usize },

    /// A customer's rows do not lie together.
    #[error("timeline row {row}: customer `{customer}` appears again after other customers; sort by customer_id")]
    Scattered { customer: String, row: usize },

    /// A customer's rows are not in time order.
    #[error(
        "timeline row {row}: customer `{customer}` at {time} comes after {previous}; sort by customer_id, event_time, known_time"
    )]
    Unsorted { customer: String, row: usize, time: String, previous: String },

    /// A line of an interactions file has no item, or many beside other lines of the same user.
    #[error(
        "{file}, row {row}: `{line}` is not `user item`, nor the one line `user item item …` of a user (separated by blanks)"
    )]
    Interaction { file: String, row: usize, line: String },

    /// A line of a file with named columns that has no user, item or time.
    #[error(
        "{file}, row {row}: `{line}` has no {column}; the header names columns that are separated by tabs, and times are seconds since 1970"
    )]
    Column { file: String, row: usize, line: String, column: &'static str },

    /// An interactions file without a line.
    #[error("{file} holds no interactions; needed are lines `user item …` in the order they happened")]
    NoInteractions { file: String },
}
