//! Tests of the product as a whole; those of one crate lie in the crate.
//!
//! - `cli/`: the real binary in a fresh folder, one file a theme
//! - `sql/`: one `.slt` a shipped view, rows small enough to check by hand
//! - `readme.rs`: every command of the README
//! - `tidy.rs`: the invariants of the README's list, read off the source

mod cli;
mod readme;
mod sql;
mod support;
mod tidy;
