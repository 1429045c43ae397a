//! The real binary, as a user types it.

mod bad_input;
mod check;
mod erase;
mod kill;
mod lineage;
mod load;
mod load_changes;
mod load_rejects;
mod load_schema;
mod load_source;
mod object_stores;
mod operations;
mod optimize;
mod real_data;
mod shop;
mod soak;
mod sql;
#[cfg(target_os = "linux")]
mod terminal;
mod till;
