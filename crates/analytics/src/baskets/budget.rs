use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many itemsets may be found. Once there are more, the minimum count rises to where the found ones fit again, and
/// the search goes on at that height, so that it ends soon and knows the count that would have been enough: the
/// smallest with at most `most` itemsets, whatever the order in which they were found.
pub(super) struct Budget {
    most: usize,
    asked: u32,
    floor: AtomicU32,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    /// Itemsets by their count, none below the floor.
    by_count: BTreeMap<u32, usize>,
    total: usize,
}

impl Budget {
    pub(super) fn new(most: usize, min_count: u32) -> Self {
        Self { most, asked: min_count, floor: AtomicU32::new(min_count), found: Mutex::default() }
    }

    /// The count below which nothing need be looked for.
    pub(super) fn floor(&self) -> u32 {
        self.floor.load(Ordering::Relaxed)
    }

    /// Whether the itemsets asked for did not fit, so that none need be kept.
    pub(super) fn is_spent(&self) -> bool {
        self.floor() > self.asked
    }

    pub(super) fn add(&self, counts: &[u32]) {
        let mut guard = self.found.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let found = &mut *guard;
        let floor = self.floor();
        for &count in counts.iter().filter(|&&count| count >= floor) {
            *found.by_count.entry(count).or_default() += 1;
            found.total += 1;
        }
        while found.total > self.most
            && let Some((count, sets)) = found.by_count.pop_first()
        {
            found.total -= sets;
            self.floor.store(count.saturating_add(1), Ordering::Relaxed);
        }
    }
}
