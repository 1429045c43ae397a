//! Defines where tables live: a URL, the object store behind it, Delta tables, warehouse-wide snapshots, run folders
//! and published Parquet.
//!
//! Data files are ours, the log is Delta's: files are written here, in the clustered layout, and enter a table as
//! `Add` actions of one commit. Delta gives atomic commits and old versions, any Delta reader can read the tables,
//! and the order of the rows in a file stays known.

mod append;
mod buckets;
mod commit;
mod doctor;
mod erase;
mod error;
mod examine;
mod files;
mod folder;
mod foreign;
mod history;
mod idempotent;
mod layout;
mod local;
mod log;
mod optimize;
mod publish;
mod published;
mod refusal;
mod restore;
mod root;
mod schema;
mod snapshot;
mod sort;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod vacuum;
mod writer;

pub use append::Append;
pub use doctor::{ExaminedTable, Finding};
pub use erase::{AllFiles, ErasedVersions, Eraser, LEASE, PastFile, Rule};
pub use error::{BoxError, Error, Result};
pub use files::Files;
pub use folder::RUNS;
pub use history::{SnapshotChange, TableChange, TableVersion};
pub use layout::{Layout, NO_CUSTOMER_BUCKET, ORDER, bucket_of};
pub use optimize::Optimized;
pub use publish::{Publication, PublishedFile, PublishedTable, PublishedVersion, Publisher};
pub use published::{ExaminedPublished, VacuumedVersions};
pub use snapshot::Snapshot;
pub use store::Store;
pub use table::{DataFile, Table, TimeRange};
pub use vacuum::{Keep, Vacuumed, VacuumedTable};

/// Whose row it is: what tables are clustered by.
pub const CUSTOMER_ID: &str = "customer_id";
/// When something happened.
pub const EVENT_TIME: &str = "event_time";
/// When the company could have known it.
pub const KNOWN_TIME: &str = "known_time";
/// The partition column of clustered tables; it is in the Delta log and in no file.
pub const BUCKET: &str = "bucket";
