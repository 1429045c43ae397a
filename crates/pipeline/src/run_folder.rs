//! Where runs lie in a warehouse, and what they are made of.

use store::RUNS;

/// The file that makes a run folder whole; it is put last.
pub(crate) const RECORD: &str = "run.json";
/// What a finished run is used with, beside its record.
pub(crate) const NEEDED: [&str; 3] = ["config.toml", "vocabulary.json", "weights.safetensors"];

pub(crate) fn place(run_id: &str) -> String {
    format!("{RUNS}/{run_id}")
}
