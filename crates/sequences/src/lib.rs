//! Per-customer event sequences, cut at a date: what the sequence models of `trainer` read.
//!
//! This crate defines the columns an event has ([`Field`]), the packed store of all customers' events ([`Sequences`]),
//! the ids a model knows ([`Vocabulary`]), one customer's history before a cut-off ([`Example`]), what a model can be
//! asked about it ([`Head`]) and the batches made of examples ([`Batch`], [`Batcher`]). It knows no SQL engine and no
//! tensor library.
//!
//! One decision carries the rest: [`Example::at`] is the only way to make a model input, and the cut-off is its
//! argument. Whatever trains or scores therefore cannot see an event at or after the cut-off, by event time or by
//! known time.

mod batch;
mod builder;
mod context;
mod error;
mod example;
mod followers;
mod head;
mod interactions;
mod sequences;
mod time;
mod vocabulary;

pub use batch::{Batch, Batcher, EVENT_FEATURES, Lessons};
pub use builder::SequencesBuilder;
pub use context::CONTEXT_FEATURES;
pub use error::Error;
pub use example::{Example, LabelledExample, Target};
pub use followers::{Followers, Recall, Shares};
pub use head::{Head, TargetKind};
pub use sequences::{Field, Sequences};
pub use time::{MICROS_PER_DAY, format_time};
pub use vocabulary::{Encoding, FIRST_KNOWN, PAD, UNKNOWN, Vocabulary};

/// The `kind` of an event by which a customer bought something (one row per order line).
pub const PURCHASE: &str = "purchase";
/// The `kind` of an event by which a customer gave something back.
pub const RETURN: &str = "return";
