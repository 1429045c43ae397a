//! The real binary, as a user types it.

#[cfg(feature = "train")]
mod backtest;
mod bad_input;
mod check;
mod describe;
#[cfg(all(feature = "train", target_os = "linux"))]
mod disk;
mod erase;
mod experiments;
#[cfg(feature = "train")]
mod explaining;
mod kill;
mod lineage;
mod load;
mod load_changes;
mod load_rejects;
mod load_schema;
mod load_source;
#[cfg(feature = "train")]
mod monitoring;
mod object_stores;
mod operations;
mod optimize;
#[cfg(feature = "train")]
mod outcomes;
#[cfg(feature = "train")]
mod prior;
mod real_data;
#[cfg(feature = "train")]
mod registry;
#[cfg(feature = "train")]
mod scoring;
mod shop;
mod soak;
mod sql;
#[cfg(target_os = "linux")]
mod terminal;
mod till;
#[cfg(feature = "train")]
mod tuning;

/// Staging of `raw.mine_orders`: each of them a completed order, known when it happened.
const MY_ORDERS: &str = "-- My orders.\nSELECT order_id, customer_id, ordered_at AS event_time, ordered_at AS known_time, 'completed' AS status, amount FROM raw.mine_orders\n";
