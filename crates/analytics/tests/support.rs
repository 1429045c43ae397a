//! What the tests of this crate share: oracle files, the CDNOW files, and comparison.
#![allow(clippy::print_stderr)] // a skipped test says so

use std::fs;
use std::path::{Path, PathBuf};

/// Data rows of a comma-separated file in tests/data, as text.
pub(crate) fn oracle(name: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

pub(crate) fn numbers(row: &[String]) -> Vec<f64> {
    row.iter().map(|field| field.parse().unwrap_or_else(|_| panic!("not a number: {field}"))).collect()
}

/// A file of the shared development data, or `None` (said aloud) where it is not there; with CI=true that is a failure.
pub(crate) fn shared(file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(file);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "shared data {file} is needed with CI=true");
    eprintln!("skipped: no ../shared/data/{file}");
    None
}

#[track_caller]
pub(crate) fn assert_close(what: &str, found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs();
    assert!(error <= tolerance, "{what}: {found} instead of {expected}, off by {error:e} (allowed {tolerance:e})");
}

#[track_caller]
pub(crate) fn assert_relative(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert_close(what, found, expected, tolerance * expected.abs());
}
