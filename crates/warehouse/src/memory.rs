//! The memory of queries: one limit for all sessions of a warehouse. Sorts and aggregates that reach their share of it
//! write to temporary files and go on; a join's table of one side must fit.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool, TrackConsumersPool, UnboundedMemoryPool};

use crate::error::Error;

/// Operators named in the message of a query that does not fit.
const NAMED: NonZeroUsize = NonZeroUsize::new(3).unwrap();

pub(crate) fn pool(limit: Option<usize>) -> Arc<dyn MemoryPool> {
    match limit {
        Some(bytes) => Arc::new(TrackConsumersPool::new(FairSpillPool::new(bytes), NAMED)),
        None => Arc::new(UnboundedMemoryPool::default()),
    }
}

/// [`Error::Memory`] where the engine says that the memory is used up.
pub(crate) fn exhausted(error: &DataFusionError) -> Option<Error> {
    let DataFusionError::ResourcesExhausted(message) = error.find_root() else { return None };
    let operator = between(message, "Additional allocation failed for ", " with top")
        .or_else(|| between(message, " for ", " with "))
        .unwrap_or("an operator");
    let holders = between(message, "(across reservations) as:\n", "\nError:").unwrap_or_default();
    // Lines such as `HashJoinInput[0]#12(can spill: false) consumed 1.0 MB, peak 1.0 MB,`.
    let holder = |line: &str| {
        let (name, rest) = line.trim().split_once('#')?;
        Some(format!("{name} {}", between(rest, "consumed ", ",")?))
    };
    let holders: Vec<String> = holders.lines().filter_map(holder).collect();
    Some(Error::Memory { operator: operator.to_string(), holders: holders.join(", ") })
}

pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}
