//! Queries that stay within customers run bucket by bucket: each bucket of the clustered tables is one stream, sorted by
//! customer and time, so that aggregates, windows and joins by customer need no shuffle, no sort and no table of all
//! customers, and memory for a bucket or two at a time.
//!
//! [`analysis`] finds those parts of a logical plan, [`planner`] plans each for one bucket, [`buckets`] runs that plan for
//! every bucket. Nothing outside of such a part is told how its rows are partitioned: the engine takes any two inputs that
//! claim to be hashed alike for hashed by *its* function, and joins them wrongly.

mod analysis;
mod buckets;
mod changes;
mod cross;
mod customers;
mod cut_offs;
mod distinct_counts;
mod empty;
mod folds;
mod lag;
mod merge_files;
mod merge_join;
mod neighbours;
mod never_null;
mod once;
mod operators;
mod order;
mod part;
mod planner;
mod point_in_time;
mod reread;
mod running;
mod slots;
mod sorted_groups;
mod totals;
mod whole_partitions;

pub(crate) use buckets::{Bucket, BucketSource};
pub(crate) use customers::must_come_by;
pub(crate) use empty::EmptyTables;
pub(crate) use merge_files::MergeFilesExec;
pub(crate) use never_null::NeverNull;
pub(crate) use operators::Operators;
pub(crate) use planner::{InBucket, Planner};
