//! The real binary, as a user types it.

mod bad_input;
mod kill;
mod real_data;
mod shop;
