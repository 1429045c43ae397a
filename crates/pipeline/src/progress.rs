//! How long work tells what it is doing. The library counts; who watches decides how it looks.

/// Watches long work. All methods have an empty default, so `&Silent` is a valid watcher.
pub trait Progress: Sync {
    /// A stage begins; `total` units of work, where known.
    fn start(&self, _stage: &str, _total: Option<u64>) {}
    /// The stage has so many units of work, known only after it began.
    fn total(&self, _total: u64) {}
    /// So many units of the stage are done.
    fn at(&self, _done: u64) {}
    /// Something to say beside the bar: a loss, a rate.
    fn note(&self, _text: &str) {}
    /// The stage ended; `summary` is one line on what came of it.
    fn finish(&self, _summary: &str) {}
}

/// Nobody watches.
pub struct Silent;

impl Progress for Silent {}
