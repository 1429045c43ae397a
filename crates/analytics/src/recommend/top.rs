use std::cmp::Ordering;

use crate::error::{Error, Result};

/// Keeps the `n` with the highest scores, the best first; of equal scores the smaller id.
pub(super) fn keep_top(scored: &mut Vec<(u32, f64)>, n: usize) {
    let best_first = |a: &(u32, f64), b: &(u32, f64)| -> Ordering { b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)) };
    if scored.len() > n {
        scored.select_nth_unstable_by(n, best_first);
        scored.truncate(n);
        // Lists of all items are held at once, and one may have had half the catalogue on it.
        scored.shrink_to_fit();
    }
    scored.sort_unstable_by(best_first);
}

pub(super) fn at_least_one(name: &'static str, value: usize) -> Result<()> {
    if value == 0 { Err(Error::Setting { name, value: 0.0, valid: "1 or more" }) } else { Ok(()) }
}
